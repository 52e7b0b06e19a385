"""Stand-ins for views and sampling rules, plain enough to tell what a feed made of them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from apical.sampling.base import Sampled, Sampling, SamplingConfig


class Drawn:
    """A stand-in for a draw: one number a sample, and the sectors it was made for."""

    def __init__(self, numbers: Tensor, sectors: Tensor | None) -> None:
        self.numbers, self.sectors = numbers, sectors

    def part(self, part: slice) -> Drawn:
        return Drawn(self.numbers[part], None if self.sectors is None else self.sectors[part])


class WholeFrames:
    """A stand-in for views that shows frames as they are, so that it can be told which they are."""

    def __init__(self, *, wants_sectors: bool = False) -> None:
        self.wants_sectors = wants_sectors

    def draw(self, random: np.random.Generator, count: int, sectors: Tensor | None) -> Drawn:
        return Drawn(torch.from_numpy(random.random(count)), sectors)

    def apply(self, sources: Tensor, draw: Drawn) -> tuple[dict[str, list[Tensor]], dict[str, list[Tensor]]]:
        sectors = [] if draw.sectors is None else [draw.sectors]
        return {"whole": [sources]}, {"draw": [draw.numbers], "sectors": sectors}


class TwoClips(Sampling):
    """A rule for two clips of two frames a sample, as later rules for videos have them."""

    Config = SamplingConfig
    num_samples = 4
    remark = None

    def __init__(self) -> None:
        self.config = SamplingConfig(name="two_clips")

    def draw(self, random: np.random.Generator) -> Sampled:
        clips = random.integers(2, 5, (4, 2))
        return Sampled(clips, np.sort(random.integers(0, 4, (4, 2, 2))))
