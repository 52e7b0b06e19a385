"""Which parcels make which structure: a model that people can read, `segments.yaml` in a run's folder.

Whoever edits the file changes the model: `apical evaluate` reads it anew. Lists of parcels are all that the paper's
way of making masks looks at; the weights are all that the weighing ways look at. The evidence is there to be read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from apical.errors import ApicalError
from apical.whole import whole_file

__all__ = ["BACKGROUND", "BESIDE", "PLACES", "Evidence", "Look", "Segments"]

BACKGROUND = "background"
PLACES = ("x", "y", "xx", "xy", "yy")
"""Terms that may be joined to parcels: where in the image."""
BESIDE = ("u", "v", "uu", "uv", "vv")
"""And where beside the ventricle that the look before found."""
Look = Mapping[str, Mapping[str, float]]
"""By structure, or background, the number of each term: a parcel, or what is joined to parcels."""

FILE = "segments.yaml"
HEAD = """\
# Which parcels make which structure. Edit it and run 'apical evaluate' again: it takes effect at once.
#   parcels   those that the structure is made of; where there are looks, those that lie mostly in it, for readers
#   looks     for each parcel, how much it speaks for the structure: used instead of the lists where there are any.
#             x, y and their products: where in the image; u, v: where beside the ventricle of the look before
#   evidence  of the labelled images: overlap, the mean share of the parcel that lies in the structure; holds, in how
#             many of the images that show the parcel the overlap is large enough; presence, in how many it is shown
"""


@dataclass(frozen=True)
class Evidence:
    """What labelled images say of a parcel and a structure."""

    overlap: float
    """The share of the parcel's own area that lies in the structure, the mean over images that show the parcel."""
    holds: float
    """The share of the images that show the parcel in which that is large enough for the rule."""
    presence: float
    """The share of all images that show the parcel."""


@dataclass(frozen=True)
class Segments:
    """The model."""

    num_parcels: int
    """K: parcels are called 0 to K − 1."""
    rule: str
    """By which rule it was found, or `named` by a person."""
    members: Mapping[str, tuple[int, ...]]
    """By structure, the parcels that it is made of."""
    looks: tuple[Look, ...] = ()
    """Numbers for each parcel, look after look; none for rules that weigh nothing."""
    evidence: Mapping[str, Mapping[int, Evidence]] = field(default_factory=dict)
    """By structure, of the parcels that have anything to do with it."""
    images: int = 0
    """How many labelled images were looked at."""

    @property
    def num_parameters(self) -> int:
        """How many numbers decide what is what."""
        if self.looks:
            return sum(len(terms) for look in self.looks for terms in look.values())
        return self.num_parcels * len(self.members)

    @staticmethod
    def path(folder: Path) -> Path:
        """Where a run's segments are."""
        return folder / FILE

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        structures = {
            name: {
                "parcels": list(members),
                **self._evidence_of(name),
            }
            for name, members in self.members.items()
        }
        values: dict[str, Any] = {
            "rule": self.rule,
            "num_parcels": self.num_parcels,
            "labelled_images": self.images,
            "structures": structures,
        }
        if self.looks:
            values["looks"] = [
                {
                    name: {_key(term): round(number, 4) for term, number in terms.items()}
                    for name, terms in look.items()
                }
                for look in self.looks
            ]
        with whole_file(path) as part:
            text = yaml.safe_dump(values, sort_keys=False, default_flow_style=None, width=110)
            part.write_text(HEAD + text, encoding="utf-8")

    def _evidence_of(self, name: str) -> dict[str, Any]:
        found = self.evidence.get(name, {})
        rows = {
            parcel: {key: round(value, 3) for key, value in vars(each).items()}
            for parcel, each in found.items()
        }
        return {"evidence": rows} if rows else {}

    @classmethod
    def read(cls, path: Path) -> Segments:
        """Read what `write` wrote, or what a person has made of it."""
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError:
            raise ApicalError(
                "The file that says which parcels make what is missing",
                where=str(path),
                remedy="Put it back, or run 'apical finetune parcel_segmentation' again.",
            ) from None
        except (UnicodeDecodeError, yaml.YAMLError):
            values = None
        try:
            return _segments_from(values)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            said = str(error) if isinstance(error, ValueError) else "a part is missing or of another kind"
            raise ApicalError(
                "The file that says which parcels make what can't be read",
                where=str(path),
                seen=said,
                remedy="Write it as 'apical finetune parcel_segmentation' does: structures: {lv: {parcels: [3, 17]}}.",
            ) from None


def _segments_from(values: Any) -> Segments:
    count = int(values["num_parcels"])
    structures: Mapping[str, Any] = values["structures"]
    return Segments(
        num_parcels=count,
        rule=str(values.get("rule", "named")),
        members={name: _parcels(name, each["parcels"], count) for name, each in structures.items()},
        looks=_looks(values.get("looks", []), count),
        evidence={
            name: {int(parcel): Evidence(**row) for parcel, row in each.get("evidence", {}).items()}
            for name, each in structures.items()
        },
        images=int(values.get("labelled_images", 0)),
    )


def _parcels(name: str, parcels: Any, count: int) -> tuple[int, ...]:
    if not isinstance(parcels, list) or not all(type(parcel) is int for parcel in parcels):
        raise ValueError(f"the parcels of {name} are no list of whole numbers")
    chosen = tuple(sorted(set(parcels)))
    unknown = [parcel for parcel in chosen if not 0 <= parcel < count]
    if unknown:
        raise ValueError(f"{name} has parcel {unknown[0]}, but they are called 0 to {count - 1}")
    return chosen


def _key(term: str) -> int | str:
    """Parcels as numbers, as people write them."""
    return int(term) if term.isdigit() else term


def _looks(looks: Any, count: int) -> tuple[Look, ...]:
    read = tuple(_look(look, count) for look in looks)
    if read and any(BESIDE[0] in each for each in read[0].values()):
        raise ValueError(f"the first look has {BESIDE[0]}, but no ventricle is found before it")
    return read


def _look(look: Mapping[str, Mapping[Any, Any]], count: int) -> Look:
    """The same terms for all, in their one order, whatever the file's."""
    found = {name: {str(term): float(number) for term, number in each.items()} for name, each in look.items()}
    used = {term for each in found.values() for term in each}
    joined = (term for kind in (PLACES, BESIDE) if used & set(kind) for term in kind)
    terms = [*map(str, range(count)), *joined]
    for name, each in found.items():
        missing = [term for term in terms if term not in each]
        if missing:
            what = "parcel " if missing[0].isdigit() else ""
            raise ValueError(f"a look at {name} lacks {what}{missing[0]}")
        wrong = [term for term in each if term not in terms or not math.isfinite(each[term])]
        if wrong:
            raise ValueError(f"a look at {name} has {wrong[0]}: {each[wrong[0]]}, which means nothing")
    return {name: {term: each[term] for term in terms} for name, each in found.items()}
