"""A lack of memory is said in one paragraph, and nothing else is taken for one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from apical.errors import ApicalError
from apical.memory import enough_memory

TOO_MANY = 10**14


def test_what_fits_goes_through() -> None:
    with enough_memory("this", "Mend it."):
        torch.empty(8)


def test_a_tensor_that_no_machine_holds() -> None:
    said = r"This machine has not enough memory for this\. Mend it\."
    with pytest.raises(ApicalError, match=said), enough_memory("this", "Mend it."):
        torch.empty(TOO_MANY)


def test_a_tensor_whose_bytes_cannot_be_counted() -> None:
    with pytest.raises(ApicalError, match="not enough memory"), enough_memory("this", "Mend it."):
        torch.empty(2**40, 2**40)


def test_an_array_that_no_machine_holds() -> None:
    with pytest.raises(ApicalError, match="not enough memory"), enough_memory("this", "Mend it."):
        np.empty(TOO_MANY)


def test_a_device_that_is_full() -> None:
    with pytest.raises(ApicalError, match="The device"), enough_memory("this", "Mend it."):
        raise torch.OutOfMemoryError


def test_another_mishap_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes"), enough_memory("this", "Mend it."):
        raise RuntimeError("shapes do not fit")
