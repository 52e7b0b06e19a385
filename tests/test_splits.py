"""One patient, one split."""

from __future__ import annotations

from pathlib import Path

import pytest

from apical.errors import ApicalError
from apical.sources.base import ClipRecord, Split
from apical.splits import settle_splits


def record(clip: str, patient: str, split: Split) -> ClipRecord:
    return ClipRecord(clip=clip, patient=patient, study=patient, files=(Path(clip),), split=split)


CLEAN = [record("a", "p1", "train"), record("b", "p1", "train"), record("c", "p2", "test")]
TORN = [*CLEAN, record("d", "p1", "val")]


def test_clean_splits_pass_unchanged() -> None:
    assert settle_splits(CLEAN, "error") == CLEAN


def test_a_patient_in_two_splits_stops_with_the_clips_and_the_ways_out() -> None:
    with pytest.raises(ApicalError) as caught:
        settle_splits(TORN, "error")
    message = str(caught.value)
    assert "clip a (train)" in message
    assert "clip d (val)" in message
    assert "on_split_conflict=exclude" in message


def test_excluding_costs_that_patient_alone() -> None:
    settled = settle_splits(TORN, "exclude")
    assert [bool(each.faults) for each in settled] == [True, True, False, True]
    assert settled[0].faults[0].level == "clip"


def test_holding_out_loses_no_clip_and_leaks_none() -> None:
    settled = settle_splits(TORN, "hold_out")
    assert [each.split for each in settled] == ["val", "val", "test", "val"]
    assert [fault.level for each in settled for fault in each.faults] == ["note", "note"]
