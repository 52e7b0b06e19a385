"""Which of several processes speaks and writes: the environment comes in, whether it is this one goes out."""

from __future__ import annotations

import os

__all__ = ["is_first_process"]


def is_first_process() -> bool:
    """Whether this is the process that speaks and writes; known before any other has started."""
    return all(
        int(os.environ.get(name, "0")) == 0 for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
    )
