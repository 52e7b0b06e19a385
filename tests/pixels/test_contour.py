from __future__ import annotations

import math

import numpy as np
import pytest

from apical.pixels.contour import crosses_itself, polygon_from_chords, rasterise

Chord = tuple[float, float, float, float]


def chords_of_ventricle(jitter: float = 0.0, seed: int = 0) -> list[Chord]:
    generator = np.random.default_rng(seed)
    chords = []
    for share in (np.arange(20) + 0.5) / 20:
        half = 20 * math.sqrt(1 - 0.9 * (2 * share - 1) ** 2)
        y = 10 + 80 * share
        chord = np.array([56 - half, y, 56 + half, y]) + generator.normal(0, jitter, 4)
        chords.append((float(chord[0]), float(chord[1]), float(chord[2]), float(chord[3])))
    return chords


def test_outline_runs_down_one_side_and_back_up_the_other() -> None:
    chords = [(1.0, 0.0, 5.0, 0.0), (2.0, 3.0, 6.0, 3.0)]

    assert polygon_from_chords(chords) == ((1.0, 0.0), (2.0, 3.0), (6.0, 3.0), (5.0, 0.0))


def test_corners_are_rounded_and_edges_belong_to_the_mask() -> None:
    mask = rasterise([(0.6, 1.4), (3.4, 0.6), (3.4, 3.4), (0.6, 3.4)], 5, 6)

    expected = np.zeros((5, 6), dtype=bool)
    expected[1:4, 1:4] = True
    assert np.array_equal(mask, expected)


def test_what_lies_outside_the_image_is_cut_off() -> None:
    mask = rasterise([(-1e9, -5), (1e9, -5), (1e9, 1e9), (-1e9, 1e9)], 4, 3)

    assert mask.shape == (4, 3)
    assert mask.all()


@pytest.mark.parametrize("points", [[], [(1.0, 1.0)], [(1.0, 1.0), (3.0, 3.0)]])
def test_fewer_than_three_corners_fill_nothing(points: list[tuple[float, float]]) -> None:
    assert not rasterise(points, 5, 5).any()


def test_mask_agrees_with_counting_crossings_pixel_by_pixel() -> None:
    points = np.rint(polygon_from_chords(chords_of_ventricle(jitter=0.5)))
    mask = rasterise(points, 112, 112)

    differing = np.argwhere(mask != _inside(points, 112, 112)).tolist()
    distance = [_distance_to_outline(points, x, y) for y, x in differing]
    assert max(distance, default=0.0) < 1e-6, "only pixels on the outline itself may differ"


@pytest.mark.parametrize("seed", range(30))
def test_outline_of_a_trembling_hand_does_not_cross_itself(seed: int) -> None:
    assert not crosses_itself(polygon_from_chords(chords_of_ventricle(jitter=1.0, seed=seed)))


@pytest.mark.parametrize("swapped", [(9,), (5, 6), tuple(range(10, 20))])
def test_swapped_chord_ends_make_the_outline_cross_itself(swapped: tuple[int, ...]) -> None:
    chords = chords_of_ventricle(jitter=0.3)
    for place in swapped:
        x1, y1, x2, y2 = chords[place]
        chords[place] = (x2, y2, x1, y1)

    assert crosses_itself(polygon_from_chords(chords))


def test_direction_of_the_outline_does_not_matter() -> None:
    bow = [(0.0, 0.0), (4.0, 4.0), (4.0, 0.0), (0.0, 4.0)]

    assert crosses_itself(bow)
    assert crosses_itself(bow[::-1])


def test_outline_that_winds_round_twice_crosses_itself() -> None:
    angles = np.linspace(0, 4 * np.pi, 60, endpoint=False)
    radii = 10 + angles
    assert crosses_itself(np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1))


def _inside(points: np.ndarray, height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), dtype=bool)
    ahead = np.roll(points, -1, axis=0)
    for y in range(height):
        for x in range(width):
            spans = (points[:, 1] > y) != (ahead[:, 1] > y)
            share = (y - points[spans, 1]) / (ahead[spans, 1] - points[spans, 1])
            meets = points[spans, 0] + share * (ahead[spans, 0] - points[spans, 0])
            mask[y, x] = (meets > x).sum() % 2 == 1
    return mask


def _distance_to_outline(points: np.ndarray, x: int, y: int) -> float:
    edges = np.roll(points, -1, axis=0) - points
    along = ((np.array([x, y]) - points) * edges).sum(1) / np.maximum((edges**2).sum(1), 1e-12)
    nearest = points + np.clip(along, 0, 1)[:, None] * edges
    return float(np.hypot(*(nearest - [x, y]).T).min())
