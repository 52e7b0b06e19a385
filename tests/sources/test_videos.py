from __future__ import annotations

from pathlib import Path

from tests.sources.conftest import Scan, Touch


def test_every_video_is_a_clip_and_its_first_folder_the_patient(touch: Touch, scan: Scan) -> None:
    touch(
        "jane/monday/a.avi", "jane/b.MP4", "c.mkv", "d.gif", "jane/notes.txt", ".trash/e.avi", "jane/.f.mov"
    )

    records = scan("videos")

    assert {name: record.patient for name, record in records.items()} == {
        "c": "c", "d": "d", "jane_b": "jane", "jane_monday_a": "jane",
    }  # fmt: skip
    assert all(record.is_cine and record.echo_view == "unknown" for record in records.values())
    assert not any(record.labels or record.faults for record in records.values())


def test_numbered_pictures_are_one_clip_in_the_order_of_their_numbers(touch: Touch, scan: Scan) -> None:
    touch(*(f"jane/clip/frame_{number}.png" for number in (10, 9, 1)))

    (record,) = scan("videos").values()

    assert (record.clip, record.patient, record.is_cine, record.stated_frames) == (
        "jane_clip_frame",
        "jane",
        True,
        3,
    )
    assert record.files == tuple(Path(f"jane/clip/frame_{number}.png") for number in (1, 9, 10))


def test_pictures_of_other_names_are_clips_of_their_own(touch: Touch, scan: Scan) -> None:
    touch("x/a_1.png", "x/a_2.png", "x/b_1.jpg", "x/b_2.jpg", "x/still.png", "x/7.png", "01.png", "02.png")

    records = scan("videos")

    assert {name: (len(record.files), record.is_cine) for name, record in records.items()} == {
        "frames": (2, True), "x_7": (1, False), "x_a": (2, True), "x_b": (2, True), "x_still": (1, False),
    }  # fmt: skip


def test_names_that_fall_together_stay_apart(touch: Touch, scan: Scan) -> None:
    touch("a/b.avi", "a_b.avi", "a/b.mp4", "a/b.png")
    records = scan("videos")
    assert sorted(records) == ["a_b", "a_b-2", "a_b-3", "a_b-4"]


def test_the_truth_beside_synthetic_videos_is_not_looked_at(touch: Touch, scan: Scan) -> None:
    touch("a.avi", "phantom_truth/masks.png", "phantom.json")
    assert list(scan("videos")) == ["a"]
