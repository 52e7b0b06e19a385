"""Where memory runs out: work comes in, one paragraph of what to do goes out instead of a library's own complaint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from apical.errors import ApicalError

__all__ = ["enough_memory"]

COMPLAINTS = ("can't allocate memory", "not enough memory", "size calculation overflowed")
"""How torch says so on a processor, where it has no error of its own for it."""


@contextmanager
def enough_memory(work: str, remedy: str) -> Iterator[None]:
    """Within, a lack of memory, of the device's or the machine's, is an error that says what to make smaller."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        whose = "The device" if isinstance(error, torch.OutOfMemoryError) else "This machine"
    except RuntimeError as error:
        if not any(complaint in str(error) for complaint in COMPLAINTS):
            raise
        whose = "This machine"
    else:
        return
    raise ApicalError(f"{whose} has not enough memory for {work}", remedy=remedy)
