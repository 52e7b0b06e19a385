"""Whether explanations can be believed: a network, clips and a way to explain come in; two checks go out.

Maps of a network whose weights are shuffled should be others (Adebayo 2018), and fading what is salient should cost the
answer more than fading as much elsewhere.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn import functional

from apical.evenly import evenly
from apical.explained import Asked
from apical.explanations._fading import faded
from apical.explanations.base import Explanation, Saliency
from apical.networks.base import Network
from apical.progress import progress

__all__ = ["Sanity", "checked", "falls_where_faded", "rank_correlation", "shuffled"]

ALIKE = 0.5
"""From this rank correlation on, maps with all weights shuffled are the same for all that matters."""
DRAWS, MOST = 4, 2
"""How often weights are shuffled, and the clips of which maps are then made."""
REMOVED = 0.1
"""The share of pixels that is faded."""
COARSE, REACH = (4, 7, 7), 0.1
"""Places in time, down and across of random maps; how far around a pixel its mean grey is taken, in shorter sides."""


@dataclass(frozen=True)
class Sanity:
    """What the checks found: a figure a clip."""

    head_shuffled: tuple[float, ...]
    """Rank correlations of maps with those where the layers after the encoder are shuffled."""
    all_shuffled: tuple[float, ...]
    """With those where all weights are."""
    salient: tuple[float, ...]
    """Falls of the answer's log-odds where the most salient tenth is faded."""
    random: tuple[float, ...]
    """Where a random tenth of the sector is."""

    @property
    def correlations(self) -> dict[str, float]:
        """By name, of all clips together: medians."""
        found = {"head_shuffled": self.head_shuffled, "all_shuffled": self.all_shuffled}
        return {f"correlation_{name}": float(np.median(values)) for name, values in found.items()}

    @property
    def falls(self) -> tuple[float, float]:
        """Of all clips together, medians: where what is salient is faded, and where a random tenth is."""
        return float(np.median(self.salient)), float(np.median(self.random))

    @property
    def depends_on_learning(self) -> bool:
        """Whether other weights make other maps."""
        return self.correlations["correlation_all_shuffled"] <= ALIKE

    @property
    def finds_what_counts(self) -> bool:
        """Whether what is salient counts more than the rest."""
        salient, random = self.falls
        return salient > max(random, 0.0)


def checked(
    explanation: Explanation, network: Network, asked: Sequence[Asked], found: Sequence[Saliency]
) -> Sanity:
    """Both checks, of clips and what was found in them."""
    some = evenly(len(asked), MOST)
    falls = [_falls(network, *each) for each in zip(asked, found, strict=True)]
    correlations: dict[bool, list[list[float]]] = {False: [], True: []}
    with progress("Checking maps", 2 * DRAWS * len(some), "clips") as bar:
        for wholly, draw in ((wholly, draw) for wholly in correlations for draw in range(DRAWS)):
            other = shuffled(network, draw, wholly=wholly)
            again = [explanation.explain(other, asked[each].images, asked[each].evidence) for each in some]
            both = zip(some, again, strict=True)
            correlations[wholly].append([rank_correlation(found[each].maps, own.maps) for each, own in both])
            bar.advance(len(some))
    return Sanity(
        _means(correlations[False]),
        _means(correlations[True]),
        tuple(salient for salient, _ in falls),
        tuple(random for _, random in falls),
    )


def _means(by_draw: list[list[float]]) -> tuple[float, ...]:
    return tuple(np.mean(by_draw, axis=0).tolist())


def shuffled(network: Network, seed: int, *, wholly: bool) -> Network:
    """A copy in which each tensor's weights have changed places: those after the encoder's, or all."""
    random = torch.Generator().manual_seed(seed)
    other = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in other.parameters() if wholly else other.decoder_parameters:
            order = torch.randperm(parameter.numel(), generator=random).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))
    return other


def rank_correlation(some: Tensor, others: Tensor) -> float:
    """Spearman's, of the values of two maps; 0 where one of them is alike everywhere."""
    if min(float(each.std()) for each in (some, others)) == 0:
        return 0.0
    return float(spearmanr(some.flatten().cpu().numpy(), others.flatten().cpu().numpy()).statistic)


def _falls(network: Network, asked: Asked, found: Saliency) -> tuple[float, float]:
    """Where what is salient is faded, and the mean where random maps, as smooth, are taken for it."""
    random = torch.Generator().manual_seed(0)
    others = [_random_map(found.maps, random) * asked.sector for _ in range(DRAWS)]
    falls = falls_where_faded(network, asked, [found.maps, *others])
    return falls[0], float(np.mean(falls[1:]))


def _random_map(like: Tensor, random: torch.Generator) -> Tensor:
    coarse = torch.rand(1, 1, *COARSE, generator=random).to(like)
    return functional.interpolate(coarse, like.shape[1:], mode="trilinear")[0]


@torch.no_grad()
def falls_where_faded(network: Network, asked: Asked, maps: Sequence[Tensor]) -> list[float]:
    """By how much the log-odds fall if the highest tenth of each map (1, T, H, W) is faded in the clip."""
    clip = asked.images
    grey = faded(clip, REACH)
    clips = torch.cat([clip.lerp(grey, _highest(each)[:, None].to(clip)) for each in maps])
    before, after = asked.evidence(network(clip)), asked.evidence(network(clips))
    return [float(fall) for fall in before - after]


def _highest(maps: Tensor) -> Tensor:
    """1 at the highest tenth of the values, if they are above 0."""
    flat = maps.flatten()
    places = flat.topk(round(REMOVED * flat.numel())).indices
    mask = torch.zeros_like(flat)
    mask[places] = (flat[places] > 0).to(mask)
    return mask.reshape(maps.shape)
