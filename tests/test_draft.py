"""A draft survives a kill at any instant, and a finished dataset is whole or not there."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apical.dataset import CLIP_COLUMNS, Dataset, DatasetCard
from apical.draft import Draft
from apical.errors import ApicalError, MachineError
from apical.journal import Entry, FrameBytes, Kept

PRINTS = [f"print {index}" for index in range(6)]


def card() -> DatasetCard:
    return DatasetCard(
        source="camus",
        title="CAMUS",
        licence="none",
        citation="none",
        url="",
        is_synthetic=True,
        preprocessing={},
        counts={"clips": 6},
        exclusions={},
        content_sha256="",
        tool_version="0",
    )


def frames_of(index: int) -> np.ndarray:
    return np.full((index + 1, 4, 5), index, dtype=np.uint8)


def entry_of(index: int, **changes: Any) -> Entry:
    clip = {
        **dict.fromkeys(CLIP_COLUMNS),
        "clip": f"c{index}",
        "num_frames": index + 1,
        "height": 4,
        "width": 5,
    }
    clip |= {"ef_percent": 50.0 + index, "as_grade": "none" if index else None}
    trace = {"clip": f"c{index}", "frame": 0, "phase": "ed", "structure": "lv", "runs": [3, 17]}
    trace |= {"source_runs": None, "source_height": 4, "source_width": 5}
    return Entry(
        **{
            "fingerprint": PRINTS[index],
            "clip": clip,
            "traces": (trace,),
            "num_bytes": 20 * (index + 1),
            **changes,
        }
    )


def part_of(draft: Draft, index: int) -> FrameBytes:
    """The frames of a clip as a worker leaves them."""
    path = draft.parts / f"{index}.u8"
    frames_of(index).tofile(path)
    return FrameBytes(path, 0, path.stat().st_size)


def fill(draft: Draft, start: int, stop: int) -> None:
    for index in range(start, stop):
        draft.append(entry_of(index), part_of(draft, index))


class FullDisk:
    def write(self, _: str) -> int:
        raise OSError(28, "No space left on device")

    def close(self) -> None:
        pass


def build(folder: Path) -> Dataset:
    with Draft(folder) as draft:
        fill(draft, draft.resume(PRINTS), len(PRINTS))
        return draft.finish(card())


def check_whole(dataset: Dataset) -> None:
    for index in range(len(PRINTS)):
        np.testing.assert_array_equal(dataset.clip_frames(f"c{index}"), frames_of(index))
    assert dataset.clips["ef_percent"].to_list() == [50.0 + index for index in range(6)]
    assert dataset.traces["runs"].to_list() == [[3, 17]] * 6


def test_a_finished_draft_is_a_dataset(tmp_path: Path) -> None:
    dataset = build(tmp_path / "d")
    check_whole(dataset)
    assert not (tmp_path / "d" / ".draft").exists()


@pytest.mark.parametrize("cut", [0, 1, 7, 400, 401, 900, 10_000])
def test_after_a_kill_the_draft_goes_on_where_it_was_whole(tmp_path: Path, cut: int) -> None:
    folder = tmp_path / "d"
    with Draft(folder) as draft:
        fill(draft, draft.resume(PRINTS), 4)
    journal = folder / ".draft" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:cut])  # what a kill in the middle of a line leaves
    check_whole(build(folder))


def test_frames_that_were_lost_are_written_again(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    with Draft(folder) as draft:
        fill(draft, draft.resume(PRINTS), 4)
    with (folder / ".draft" / "frames.u8").open("r+b") as file:
        file.truncate(70)
    check_whole(build(folder))


def test_a_draft_of_other_clips_is_set_aside_and_what_is_the_same_taken_over(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    with Draft(folder) as draft:
        fill(draft, draft.resume(PRINTS), 5)
    with Draft(folder) as draft:
        assert draft.resume(["new", *PRINTS]) == 0
        (earlier,) = draft.kept()
        assert [print_ in earlier for print_ in PRINTS] == [True] * 5 + [False]
        entry, frames = earlier.find(PRINTS[4])
        draft.append(entry, frames)
        assert [each.fingerprint for each in draft.entries()] == [PRINTS[4]]


def test_what_two_interrupted_drafts_hold_is_all_taken_over(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    for order in (PRINTS, PRINTS[3:]):
        with Draft(folder) as draft:
            draft.resume(order)
            first = PRINTS.index(order[0])
            fill(draft, first, first + 2)
    with Draft(folder) as draft:
        draft.resume(PRINTS[::-1])
        held = draft.kept()
    assert [any(print_ in each for each in held) for print_ in PRINTS] == [
        True,
        True,
        False,
        True,
        True,
        False,
    ]


def test_a_transient_failure_is_tried_again_and_costs_no_other_clip(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    with Draft(folder) as draft:
        draft.resume(PRINTS)
        draft.append(entry_of(0, is_transient=True, num_bytes=0), None)
        draft.append(entry_of(1), part_of(draft, 1))
    with Draft(folder) as draft:
        assert draft.resume(PRINTS) == 0
        (earlier,) = draft.kept()
        assert PRINTS[0] not in earlier
        assert PRINTS[1] in earlier


def test_frames_that_changed_under_way_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    dataset = build(folder)
    path = dataset.folder / "frames.u8"
    path.write_bytes(bytes(path.stat().st_size))
    with Draft(folder) as draft:
        draft.resume(["new", *PRINTS])
        (finished,) = draft.kept()
        with pytest.raises(MachineError, match="no longer holds"):
            draft.append(*finished.find(PRINTS[5]))


def test_a_worker_that_outlives_its_run_has_no_place_in_the_next(tmp_path: Path) -> None:
    with Draft(tmp_path / "d") as first:
        first.resume(PRINTS)
        orphan = first.part(0, 4)
    with Draft(tmp_path / "d") as second:
        second.resume(PRINTS)
        assert second.part(0, 4) != orphan
        with pytest.raises(FileNotFoundError):
            frames_of(0).tofile(orphan)


@pytest.mark.parametrize("moved", range(6))
def test_a_kill_while_moving_into_place_is_mended_by_the_next_run(tmp_path: Path, moved: int) -> None:
    folder = tmp_path / "d"
    build(folder)
    names = ["clips.parquet", "traces.parquet", "exclusions.csv", "frames.u8", "ingest.jsonl", "dataset.json"]
    work = folder / ".draft"
    work.mkdir()
    for name in names[moved:]:
        shutil.move(folder / name, work / name.replace("ingest", "journal"))
    with Draft(folder) as draft:
        assert draft.complete()
    check_whole(Dataset.open(folder))


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    with Draft(tmp_path / "d"), pytest.raises(ApicalError, match="Another process"), Draft(tmp_path / "d"):
        pass


def test_finished_clips_are_found_by_fingerprint(tmp_path: Path) -> None:
    build(tmp_path / "d")
    kept = Kept(tmp_path / "d" / "ingest.jsonl", tmp_path / "d" / "frames.u8")
    assert kept.is_all_of(PRINTS)
    assert not kept.is_all_of(PRINTS[:-1])
    entry, frames = kept.find(PRINTS[3])
    assert entry.clip["clip"] == "c3"
    stored = np.fromfile(frames.path, dtype=np.uint8, offset=frames.offset, count=frames.num_bytes)
    np.testing.assert_array_equal(stored, frames_of(3).ravel())
    assert "other" not in kept


def test_the_content_hash_tells_data_apart_and_nothing_else(tmp_path: Path) -> None:
    first, again = build(tmp_path / "a"), build(tmp_path / "b")
    assert first.card.content_sha256 == again.card.content_sha256
    with Draft(tmp_path / "c") as draft:
        draft.resume(PRINTS)
        draft.append(entry_of(0), part_of(draft, 0))
        other = draft.finish(card())
    assert other.card.content_sha256 != first.card.content_sha256


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "d"
    with Draft(folder) as draft:
        fill(draft, draft.resume(PRINTS), 2)
        assert draft._journal is not None
        with closing(draft._journal):
            monkeypatch.setattr(draft, "_journal", FullDisk())
        with pytest.raises(ApicalError, match="Free some space"):
            draft.append(entry_of(2), part_of(draft, 2))
    check_whole(build(folder))
