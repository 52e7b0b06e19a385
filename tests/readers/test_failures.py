from __future__ import annotations

import os
from pathlib import Path

import pytest

from apical.errors import ApicalError
from apical.readers._failures import STDERR, decoding


def test_what_a_library_in_c_prints_is_not_heard(capfd: pytest.CaptureFixture[str]) -> None:
    with decoding(Path("a.dcm"), "It can't be decoded"):
        os.write(STDERR, b"Corrupt JPEG data of DOE^JANE")
    os.write(STDERR, b"after")
    assert capfd.readouterr().err == "after"


def test_a_failure_keeps_its_kind_but_not_its_text() -> None:
    with pytest.raises(ApicalError) as caught, decoding(Path("a.dcm"), "It can't be decoded"):
        raise ValueError("DOE^JANE")
    assert "ValueError" in str(caught.value)
    assert "DOE" not in str(caught.value)


def test_a_closed_standard_error_is_borne() -> None:
    kept = os.dup(STDERR)
    os.close(STDERR)
    try:
        with decoding(Path("a.dcm"), "It can't be decoded"):
            pass
    finally:
        os.dup2(kept, STDERR)
        os.close(kept)
