"""A watch over training: each step's losses come in; their means go out, or an error once they make no sense."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from apical.errors import ApicalError

__all__ = ["Vigil"]

STEPS_IN_COLLAPSE = 50
"""So many steps in a row must look collapsed: features are often close together for a moment at the start."""


class Vigil:
    """Collects the losses of each step, and looks at them now and then, since every look waits for the device."""

    def __init__(self, least_spread: float | None, advice: str, low_steps: int = 0) -> None:
        self.least_spread = least_spread
        self.advice = advice
        self.low_steps = low_steps
        """Steps in a row whose spread was too low."""
        self._noted: list[tuple[int, Mapping[str, Tensor]]] = []

    def note(self, step: int, losses: Mapping[str, Tensor]) -> None:
        """Keep the losses of a step that was just taken."""
        self._noted.append((step, {name: value.detach() for name, value in losses.items()}))

    def settle(self, mean_over_processes: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Means since the last look; stops a run that diverged or collapsed."""
        if not self._noted:
            return {}
        names = list(self._noted[0][1])
        stacked = torch.stack(
            [torch.stack([losses[name].float() for name in names]) for _, losses in self._noted]
        )
        rows = mean_over_processes(stacked).tolist()
        steps = [step for step, _ in self._noted]
        self._noted.clear()
        for step, row in zip(steps, rows, strict=True):
            self._judge(step, dict(zip(names, row, strict=True)))
        return {
            name: sum(column) / len(rows) for name, column in zip(names, zip(*rows, strict=True), strict=True)
        }

    def _judge(self, step: int, losses: Mapping[str, float]) -> None:
        if not math.isfinite(losses["loss"]):
            raise ApicalError(
                f"The loss of step {step} is not a finite number, so training has stopped",
                remedy=f"{self.advice} Also try clip_norm=1, a longer warm-up, or precision=32. "
                "The last checkpoint is from before.",
            )
        spread = losses.get("spread")
        is_low = self.least_spread is not None and spread is not None and spread < self.least_spread
        self.low_steps = self.low_steps + 1 if is_low else 0
        if self.low_steps >= STEPS_IN_COLLAPSE:
            raise ApicalError(
                f"The features have collapsed: at step {step} every image gets nearly the same embedding, "
                "so training has stopped",
                seen=f"a spread of {spread:.2g} for {self.low_steps} steps, where 1 is healthy",
                remedy=f"{self.advice} least_spread=null lets it go on.",
            )
