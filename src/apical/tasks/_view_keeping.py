"""What telling views has learnt, on disk: tensors, and a table of words and numbers, go in and come out again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from apical.checkpoint import read_tensors, write_tensors
from apical.errors import ApicalError
from apical.pictures.run_sheet import NOTICE
from apical.tasks._view_trust import Trust
from apical.whole import whole_file

__all__ = ["Kept", "read_kept", "write_kept"]

TENSORS, TABLE = "echo_view.safetensors", "echo_view.json"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What `echo_view.json` says."""

    rule: str
    echo_views: tuple[str, ...]
    references: Mapping[str, int]
    """How many images of each view were learnt from."""
    patients: int
    blank: int
    """Labelled images that the encoder sees nothing in; they are left out."""
    trust: Trust

    def lines(self, refuses: bool) -> list[str]:
        """The same in sentences."""
        counts = ", ".join(f"{count} {view}" for view, count in self.references.items())
        lines = [
            f"The rule '{self.rule}' knows {sum(self.references.values())} images of "
            f"{self.patients} patients: {counts}."
        ]
        if self.blank:
            lines.append(
                f"{self.blank} labelled images were left out, since the encoder sees nothing in them."
            )
        return [*lines, *self._trust_lines(refuses)]

    def _trust_lines(self, refuses: bool) -> list[str]:
        trust = self.trust
        if trust.accuracy is None:
            lines = ["There is one patient alone, so nothing says how far answers can be trusted."]
        else:
            lines = [
                f"Each judged without its own patient, {trust.accuracy:.1%} of {trust.images} are right."
            ]
        if not refuses:
            return [*lines, "Every image is answered (task.refuses=false)."]
        if trust.threshold is None:
            why = f"No confidence makes {trust.trusted:.0%} of the answers right, so the answer is always"
            return [*lines, f'{why} "can\'t tell": set a lower task.trusted, or task.refuses=false.']
        return [
            *lines,
            f'Below a confidence of {trust.threshold:.3f} the answer is "can\'t tell"; so {trust.answered:.1%} of '
            f"them are answered, {trust.accuracy_of_answered:.1%} of these right (wanted: {trust.trusted:.0%}).",
        ]


def write_kept(folder: Path, kept: Kept, tensors: Mapping[str, Tensor]) -> None:
    """Write both files, each whole or not at all."""
    write_tensors(
        folder / TENSORS, tensors, _about(kept.rule, kept.echo_views) | {"trust": asdict(kept.trust)}
    )
    with whole_file(folder / TABLE) as part:
        text = json.dumps({**asdict(kept), "notice": NOTICE}, indent=1, ensure_ascii=False)
        part.write_text(text + "\n", encoding="utf-8")


def read_kept(
    folder: Path, rule: str, views: Sequence[str], names: Sequence[str]
) -> tuple[Kept, dict[str, Tensor]]:
    """Both files again; an error where one is missing, broken, or of another run. The threshold is the table's."""
    tensors, about = read_tensors(folder / TENSORS)
    kept = _kept(_table(folder / TABLE), folder / TABLE)
    wanted = _about(rule, views)
    if {name: about.get(name) for name in wanted} != wanted or _about(kept.rule, kept.echo_views) != wanted:
        raise _unfit(folder / TABLE)
    if set(tensors) != set(names):
        raise _unfit(folder / TENSORS)
    return kept, tensors


def _about(rule: str, views: Sequence[str]) -> dict[str, Any]:
    return {"rule": rule, "echo_views": list(views)}


def _table(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ApicalError(
            "The table of what this run has learnt is not there",
            where=str(path),
            remedy="Put it back, or run 'apical finetune echo_view' again.",
        ) from None
    except (OSError, ValueError):
        raise _unreadable(path) from None
    return values if isinstance(values, dict) else {}


def _kept(values: Mapping[str, Any], path: Path) -> Kept:
    fields = {name: value for name, value in values.items() if name != "notice"}
    try:
        trust = Trust(**fields["trust"])
        kept = Kept(**{**fields, "trust": trust, "echo_views": tuple(fields["echo_views"])})
    except (KeyError, TypeError):
        raise _unreadable(path) from None
    is_number = isinstance(trust.threshold, int | float) and not isinstance(trust.threshold, bool)
    if trust.threshold is not None and not (is_number and 0 <= trust.threshold <= 1):
        raise ApicalError(
            "The threshold is neither null nor a number from 0 to 1",
            where=str(path),
            remedy='Mend "threshold" there: the least confidence of an answer.',
        )
    return kept


def _unreadable(path: Path) -> ApicalError:
    return ApicalError(
        "The table of what this run has learnt can't be read",
        where=str(path),
        remedy="Undo what was changed in it, or run 'apical finetune echo_view' again.",
    )


def _unfit(path: Path) -> ApicalError:
    return ApicalError(
        "What this run has learnt does not fit its own settings",
        where=str(path),
        remedy="Run 'apical finetune echo_view' again: its files were mixed with another run's.",
    )
