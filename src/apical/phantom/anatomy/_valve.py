"""Leaflets that swing: hinge, closed tip and open tip come in, a thin grid (T, 2, C, 2) goes out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["atrioventricular_valve", "leaflet", "ribbon"]

Array = npt.NDArray[np.float64]

COLUMNS = 11


def leaflet(
    hinge: Array, closed_tip: Array, open_tip: Array, opening: Array, *, belly: float, thickness_mm: float
) -> Array:
    """Swing from closed to open by angle and length about the hinge; points (T, 2), opening (T,).

    `belly` is how far the leaflet bows, as a fraction of its length; its sign picks the side.
    """
    closed, opened = _complex(closed_tip - hinge), _complex(open_tip - hinge)
    turn = np.angle(opened / closed) * opening
    reach = 1 + (np.abs(opened) / np.abs(closed) - 1) * opening
    to_tip = closed * reach * np.exp(1j * turn)
    along = np.linspace(0, 1, COLUMNS)
    curve = np.multiply.outer(to_tip, along + 4j * belly * along * (1 - along)) + _complex(hinge)[:, None]
    return ribbon(np.stack([curve.real, curve.imag], axis=-1), thickness_mm)


def atrioventricular_valve(
    name: str,
    first: Array,
    second: Array,
    into_ventricle: Array,
    opening: Array,
    *,
    meeting: float,
    tenting: float = 0.13,
    reaches: tuple[float, float] = (0.72, 0.52),
    leans: tuple[float, float] = (0.18, -0.12),
) -> dict[str, Array]:
    """Two leaflets on hinges (T, 2); lengths are shares of the annulus, from the first hinge to the second.

    Shut, they meet at `meeting` across and `tenting` into the ventricle; open, each tip is `reaches` into it,
    and `leans` across from its own hinge.
    """
    across = second - first
    width = np.linalg.norm(across, axis=1)[:, None]
    closed_tip = first + meeting * across + tenting * width * into_ventricle
    # Shut leaflets bow towards the atrium, on whichever hand that is.
    belly = -0.1 * np.sign(across[0, 0] * into_ventricle[1] - across[0, 1] * into_ventricle[0])
    leaflets = {}
    for side, hinge, reach, lean, bow in zip(
        ("first", "second"), (first, second), reaches, leans, (belly, -belly), strict=True
    ):
        open_tip = hinge + reach * width * into_ventricle + lean * across
        leaflets[f"{name}_{side}"] = leaflet(
            hinge, closed_tip, open_tip, opening, belly=bow, thickness_mm=2.0
        )
    return leaflets


def ribbon(curve: Array, thickness_mm: float) -> Array:
    """Give a curve (T, C, 2) given thickness, as a grid (T, 2, C, 2)."""
    tangent = np.gradient(curve, axis=1)
    normal = np.stack([tangent[..., 1], -tangent[..., 0]], axis=-1)
    normal *= 0.5 * thickness_mm / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    return np.stack([curve - normal, curve + normal], axis=1)


def _complex(points: Array) -> npt.NDArray[np.complex128]:
    return points[..., 0] + 1j * points[..., 1]
