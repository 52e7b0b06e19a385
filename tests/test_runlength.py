from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from apical import runlength
from apical.errors import ApicalError


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=12)))
def test_what_is_encoded_comes_back(mask: np.ndarray) -> None:
    runs = runlength.encode(mask)
    assert np.array_equal(runlength.decode(runs, *mask.shape), mask)
    assert all(run > 0 for run in runs[1:])


def test_runs_go_row_by_row_and_begin_with_background() -> None:
    assert runlength.encode(np.array([[0, 1, 1], [1, 0, 0]], dtype=bool)) == [1, 3, 2]
    assert runlength.encode(np.array([[1, 0], [0, 0]], dtype=bool)) == [0, 1, 3]


@given(st.lists(st.integers(-3, 9), max_size=5))
def test_runs_that_do_not_fill_the_image_are_refused(runs: list[int]) -> None:
    if sum(runs) == 30 and min(runs) >= 0:
        return
    with pytest.raises(ApicalError, match="don't fill"):
        runlength.decode(runs, 5, 6)
