"""Where training starts: a backbone and a word or path come in; the backbone has those weights, and a card says whose.

`random`, a kind such as `imagenet` or `dino` (fetched), KIND:PATH of a file, or the folder of a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from apical.backbones._foreign import Published, bare_net, read_foreign
from apical.backbones.base import Backbone, BackboneConfig
from apical.encoders import BACKBONE
from apical.errors import ApicalError
from apical.run import Run

__all__ = ["WeightsCard", "start_weights"]

NAMED = 3
"""How many names an error lists of each kind of mishap."""


@dataclass(frozen=True, kw_only=True)
class WeightsCard:
    """What a backbone started from, and on whose terms."""

    name: str
    origin: str
    """The file or folder, or where they were fetched."""
    licence: str
    num_tensors: int
    """How many tensors were taken; all of the backbone's, but for random weights."""
    input_mean: float
    """Taken from every pixel, which lies in [0, 1]."""
    input_std: float
    left_out: tuple[str, ...] = ()
    """Heads that the file has beside the net."""


def start_weights(backbone: Backbone, config: BackboneConfig, init: str) -> WeightsCard:
    """Give `backbone`, built from `config`, the weights that `init` names; an error says what does not fit."""
    kind, _, place = init.partition(":")
    if init == "random":
        return _card(backbone, "random", "torch's generator", "none needed", num_tensors=0)
    if kind in backbone.foreign and place:
        return _from_file(backbone, config, kind, Path(place), init, f"as given by whoever made {place}")
    if init in backbone.foreign:
        published = _published(backbone, config, kind)
        return _from_file(
            backbone, config, kind, _fetched(published, kind), published.name, published.licence
        )
    if Path(init).is_dir():
        return _from_run(backbone, config, Run.open(Path(init)))
    raise ApicalError(
        f"'{init}' is nothing that {config.name} can start from",
        remedy=f"Give init={', '.join(_choices(backbone))}, or the folder of a run.",
    )


def _choices(backbone: Backbone) -> list[str]:
    return ["random", *backbone.published(), *(f"{kind}:PATH" for kind in backbone.foreign)]


def _published(backbone: Backbone, config: BackboneConfig, kind: str) -> Published:
    published = backbone.published()
    if kind not in published:
        raise ApicalError(
            f"Nobody publishes '{kind}' weights for {config.name} with these settings",
            remedy=f"Give a file of your own, init={kind}:PATH, or start elsewhere: "
            f"{', '.join(_choices(backbone))}.",
        )
    return published[kind]


def _fetched(published: Published, kind: str) -> Path:
    try:
        return published.fetch()
    except OSError:
        raise ApicalError(
            f"The weights '{published.name}' can't be fetched from here",
            where=published.url,
            remedy=f"Fetch that file on another machine, copy it here, and give init={kind}:PATH.",
        ) from None


def _from_file(
    backbone: Backbone, config: BackboneConfig, kind: str, path: Path, name: str, licence: str
) -> WeightsCard:
    net, heads = bare_net(read_foreign(path))
    own = backbone.adopted(net, backbone.foreign[kind])
    num_tensors = _take(backbone, config, own, str(path))
    return _card(backbone, name, str(path), licence, num_tensors, heads)


def _from_run(backbone: Backbone, config: BackboneConfig, run: Run) -> WeightsCard:
    settings = run.config.get("backbone")
    there = settings.get("name") if isinstance(settings, Mapping) else None
    if there != config.name:
        raise ApicalError(
            f"This run has another backbone than {config.name}",
            where=str(run.folder),
            seen=f"the backbone {there}",
            remedy=f"Set backbone={there}, or start from another run.",
        )
    tensors = run.weights()
    own = {name.removeprefix(BACKBONE): tensors[name] for name in tensors if name.startswith(BACKBONE)}
    num_tensors = _take(backbone, config, own, str(run.folder))
    terms = [licence.partition(": ")[2] for licence in run.card.licences]
    licence = "; ".join(dict.fromkeys(terms)) or "not stated"
    return _card(backbone, run.folder.name, str(run.folder), licence, num_tensors)


def _take(backbone: Backbone, config: BackboneConfig, tensors: Mapping[str, Tensor], where: str) -> int:
    """Load the tensors, all of the backbone's and no others; how many of its net's there were."""
    own = backbone.state_dict()
    given = backbone.resized(tensors)
    # Old files lack the counts of batches, which nothing reads, and one-channel files the scale of their input.
    spare = {name: own[name] for name in own if name.startswith("input_")}
    spare |= {name: torch.zeros_like(own[name]) for name in own if name.endswith(".num_batches_tracked")}
    taken = {**spare, **given}
    mishaps = [
        _named("missing", own.keys() - taken.keys()),
        _named("unknown here", taken.keys() - own.keys()),
        _named("of another shape", _misshapen(own, taken)),
    ]
    if any(mishaps):
        raise ApicalError(
            f"These weights do not fit {config.name} with these settings",
            where=where,
            seen="; ".join(mishap for mishap in mishaps if mishap),
            remedy="Start from weights of the same net, or set the backbone's settings as theirs were.",
        )
    backbone.load_state_dict(taken)
    return len(given.keys() - {"input_mean", "input_std"})


def _misshapen(own: Mapping[str, Tensor], taken: Mapping[str, Tensor]) -> list[str]:
    return [
        f"{name} {tuple(taken[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own.keys() & taken.keys()
        if own[name].shape != taken[name].shape
    ]


def _named(mishap: str, names: Iterable[str]) -> str:
    """Such as `2 missing (conv1.weight, bn1.bias)`; nothing when there are none."""
    every = sorted(names)
    more = ", …" if len(every) > NAMED else ""
    return f"{len(every)} {mishap} ({', '.join(every[:NAMED])}{more})" if every else ""


def _card(
    backbone: Backbone, name: str, origin: str, licence: str, num_tensors: int, left_out: tuple[str, ...] = ()
) -> WeightsCard:
    return WeightsCard(
        name=name,
        origin=origin,
        licence=licence,
        num_tensors=num_tensors,
        input_mean=float(backbone.input_mean),
        input_std=float(backbone.input_std),
        left_out=left_out,
    )
