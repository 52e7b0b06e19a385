"""Places evenly chosen: all of few, so many of more, both ends among them, none twice."""

from __future__ import annotations

from itertools import pairwise

import pytest

from apical.evenly import evenly


@pytest.mark.parametrize("total", [0, 1, 2, 7, 8, 9, 100, 1001])
@pytest.mark.parametrize("most", [2, 8, 12])
def test_places_rise_from_the_first_to_the_last_and_none_comes_twice(total: int, most: int) -> None:
    places = evenly(total, most).tolist()
    assert len(places) == min(total, most)
    assert places == sorted(set(places))
    if total:
        assert (places[0], places[-1]) == (0, total - 1)


def test_gaps_differ_by_one_at_most() -> None:
    places = evenly(1000, 7).tolist()
    gaps = [after - before for before, after in pairwise(places)]
    assert max(gaps) - min(gaps) <= 1
