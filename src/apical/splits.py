"""One patient, one split: clip records come in; they go out unchanged, mended as asked, or not at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from apical.errors import ApicalError
from apical.sources.base import ClipRecord, Fault, Split

__all__ = ["JUDGED_ON", "LEARNT_FROM", "OnConflict", "settle_splits"]

OnConflict = Literal["error", "exclude", "hold_out"]
LEARNT_FROM: tuple[Split, ...] = ("train", "none")
JUDGED_ON: tuple[Split, ...] = ("val", "test")
MOST_HELD_OUT: tuple[Split, ...] = ("test", "val", "train", "none")
CLIPS_NAMED = 4


def settle_splits(records: Sequence[ClipRecord], on_conflict: OnConflict) -> list[ClipRecord]:
    """Hold every patient in one split.

    `error` refuses a patient that stands in two, `exclude` leaves out all clips of such a patient, `hold_out`
    moves all of them to the most held-out of the patient's splits.
    """
    conflicts = {patient: clips for patient, clips in _by_patient(records).items() if len(_splits(clips)) > 1}
    if not conflicts:
        return list(records)
    if on_conflict == "error":
        raise _conflict_error(conflicts)
    return [_settled(record, conflicts, on_conflict) for record in records]


def _by_patient(records: Sequence[ClipRecord]) -> dict[str, list[ClipRecord]]:
    patients: dict[str, list[ClipRecord]] = defaultdict(list)
    for record in records:
        patients[record.patient].append(record)
    return patients


def _splits(records: Sequence[ClipRecord]) -> set[Split]:
    return {record.split for record in records}


def _settled(
    record: ClipRecord, conflicts: dict[str, list[ClipRecord]], on_conflict: OnConflict
) -> ClipRecord:
    if record.patient not in conflicts:
        return record
    splits = _splits(conflicts[record.patient])
    if on_conflict == "exclude":
        fault = Fault(
            level="clip", reason=f"its patient stands in several splits: {', '.join(sorted(splits))}"
        )
        return replace(record, faults=(*record.faults, fault))
    held_out = next(split for split in MOST_HELD_OUT if split in splits)
    if held_out == record.split:
        return record
    reason = f"moved from {record.split} to {held_out}, since its patient stands in both"
    return replace(record, split=held_out, faults=(*record.faults, Fault(level="note", reason=reason)))


def _conflict_error(conflicts: dict[str, list[ClipRecord]]) -> ApicalError:
    patient_clips = next(iter(conflicts.values()))
    first_of_split = {record.split: record for record in reversed(patient_clips)}
    shown = [*first_of_split.values()][::-1][:CLIPS_NAMED]
    named = ", ".join(f"clip {record.clip} ({record.split})" for record in shown)
    return ApicalError(
        f"{len(conflicts)} patient(s) stand in two splits, so a model would be tested on patients it has seen",
        seen=f"of one patient: {named}",
        remedy=(
            "Correct the splits in the source's tables, or add on_split_conflict=exclude to leave these patients out, "
            "or on_split_conflict=hold_out to move all their clips to the most held-out split; allow_leakage=true "
            "keeps the splits as they are, to repeat what others did, and says so everywhere"
        ),
    )
