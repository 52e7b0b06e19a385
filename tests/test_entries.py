from __future__ import annotations

import os
from pathlib import Path

from apical.entries import entry_of
from apical.journal import entry_from, line_of
from apical.pixels.task import Prepared
from apical.sources.base import ClipRecord


def test_a_file_name_that_is_no_text_can_be_written_and_still_be_told() -> None:
    path = Path(os.fsdecode(b"caf\xe9.avi"))
    record = ClipRecord(clip="caf", patient="1", study="1", files=(path,))
    entry = entry_of(record, Prepared(), "print", (), str(path))
    assert entry.clip["source_path"] == entry.faults[0]["source_path"] == r"caf\xe9.avi"
    assert entry_from(line_of(entry).encode("utf-8")) == entry
