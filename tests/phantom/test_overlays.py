from __future__ import annotations

import numpy as np
import numpy.typing as npt

from apical.phantom.overlays import Overlay, draw_overlays

KEY = (4, 2, 1)


def fan(height: int = 150, width: int = 200, bottom: int = 130) -> npt.NDArray[np.bool_]:
    y, x = np.mgrid[:height, :width]
    return np.asarray(
        (np.abs(x - width / 2) < 0.8 * (y - 10)) & (np.hypot(x - width / 2, y - 10) < bottom - 10)
    )


def grey(sector: npt.NDArray[np.bool_], count: int = 10) -> npt.NDArray[np.uint8]:
    noise = np.random.default_rng(0).integers(0, 200, (count, *sector.shape), dtype=np.uint8)
    return noise * sector


def test_nothing_but_the_masked_pixels_changes() -> None:
    sector = fan()
    frames = grey(sector)
    marked = draw_overlays(frames, sector, KEY)
    changed = (marked != frames[..., None]).any(axis=(0, 3))
    assert marked.shape == (*frames.shape, 3)
    assert changed.sum() > 200
    assert not (changed & ~Overlay(sector, KEY, num_frames=10).mask).any()


def test_marks_stay_outside_the_fan_and_the_trace_touches_its_lower_rim_at_most() -> None:
    for sector in (fan(), fan(112, 112, 112), fan(112, 112, 140)):
        overlay = Overlay(sector, KEY, num_frames=20)
        lowest = np.flatnonzero(sector.any(axis=1))[-1]
        touched = np.flatnonzero((overlay.mask & sector).any(axis=1))
        assert not overlay.marks[sector].any()
        assert (touched >= lowest - 0.05 * len(sector)).all()


def test_the_trace_is_coloured_and_its_gap_sweeps_along() -> None:
    sector = fan()
    marked = draw_overlays(grey(sector), sector, KEY).astype(int)
    coloured = (marked.max(axis=3) - marked.min(axis=3)) > 30
    assert coloured.any(axis=(1, 2)).all()
    gaps = [set(np.flatnonzero(coloured.any(axis=(0, 1)) & ~frame.any(axis=0))) for frame in coloured]
    assert all(gaps)
    assert not gaps[2] & gaps[6]


def test_the_trace_peaks_at_end_diastole() -> None:
    sector = fan(300, 400, 240)
    trace = Overlay(sector, KEY, num_frames=80, ed_frames=(20, 60)).trace
    highest = np.where(trace.any(axis=0), trace.argmax(axis=0), 300)
    for ed_frame in (20, 60):
        column = ed_frame * 400 // 80
        around = slice(column - 40, column + 40)
        assert abs(int(highest[around].argmin()) + column - 40 - column) <= 3


def test_overlays_are_the_same_for_the_same_key_and_differ_between_keys() -> None:
    sector = fan()
    first, again, other = (Overlay(sector, key, num_frames=9).marks for key in (KEY, KEY, (4, 2, 2)))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_given_texts_are_written() -> None:
    sector = fan()
    written = Overlay(sector, KEY, num_frames=9, texts=("HELLO",)).marks > 0
    silent = Overlay(sector, KEY, num_frames=9, texts=()).marks > 0
    assert (written & ~silent).sum() > 10
