"""Outlines for tables: true lines in pixels come in, the lines that a tracer writes down go out.

The sets' own rule rounds corners to whole pixels and fills those on the edge too, which widens an outline.
So a trace runs a little inside the truth.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["inset_chords", "inset_outline"]

Lines = npt.NDArray[np.float64]

CHORD_EDGE_PX = 0.2
"""How far inside. A little more would fit the rule better, but chords that short tell too much ejection."""
OUTLINE_EDGE_PX = 0.35
"""More, for an outline's many corners fall on pixels that chords leave out."""


def inset_chords(lines: Lines) -> Lines:
    """Shorten all lines (21, 4) at both ends but the first, which is the long axis."""
    chords = lines[1:]
    across = chords[:, 2:] - chords[:, :2]
    lengths = np.hypot(across[:, 0], across[:, 1])[:, None]
    steps = across / np.maximum(lengths, 1e-9) * np.minimum(CHORD_EDGE_PX, lengths / 2)
    return np.vstack([lines[:1], np.hstack([chords[:, :2] + steps, chords[:, 2:] - steps])])


def inset_outline(points: Lines) -> Lines:
    """Move each point (P, 2) of a closed outline inwards, square to the outline."""
    following = np.roll(points, -1, axis=0)
    along = following - np.roll(points, 1, axis=0)
    inwards = np.column_stack([-along[:, 1], along[:, 0]])
    lengths = np.maximum(np.hypot(inwards[:, 0], inwards[:, 1]), 1e-9)[:, None]
    turn = np.sign(np.sum(points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]))
    moved: Lines = points + turn * OUTLINE_EDGE_PX * inwards / lengths
    return moved
