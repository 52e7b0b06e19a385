"""Runs that differ in one setting: its values come in; the run that held-out patients like best goes out.

With few labels no one learning rate suits all: Holste 2024 tries three for a tenth of the studies or less.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from apical.errors import ApicalError
from apical.run import Run
from apical.whole import whole_file

__all__ = ["Sweep", "swept"]

CANDIDATES = "candidates"
"""The folder, within the run, in which all of them stay."""


@dataclass(frozen=True)
class Sweep:
    """One setting and its values."""

    key: str
    values: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> Sweep:
        """From words such as `optimiser.lr=1e-4,5e-4`."""
        key, _, listed = text.partition("=")
        values = tuple(dict.fromkeys(value.strip() for value in listed.split(",") if value.strip()))
        if not key.strip() or len(values) < 2:
            raise ApicalError(
                f"'{text}' is no setting with several values",
                remedy="Write it as --sweep optimiser.lr=1e-4,5e-4,1e-5.",
            )
        return cls(key.strip(), values)


def swept(out: Path, sweep: Sweep, command: str, *, resumes: bool, train: Callable[[Path, str], Run]) -> Run:
    """Train a run for each value below `out`, and make the best of them the run `out`."""
    if resumes and (out / "run.json").is_file():
        return Run.open(out)
    runs = [train(out / CANDIDATES / value, f"{sweep.key}={value}") for value in sweep.values]
    scores = [_score(run) for run in runs]
    best = max(range(len(runs)), key=scores.__getitem__)
    return _settled(out, runs[best], command, _remark(sweep, runs, best))


def _score(run: Run) -> float:
    """The figure that its best checkpoint was chosen by, the higher the better."""
    name = str(run.config["score"])
    if name not in run.card.best:
        raise ApicalError(
            f"Held-out patients can't choose among these runs: there is no figure '{name}'",
            where=str(run.folder),
            remedy="Set score to val_loss, or to another figure of held-out patients, which must have labels.",
        )
    value = float(run.card.best[name])
    return -value if name == "val_loss" else value


def _remark(sweep: Sweep, runs: Sequence[Run], best: int) -> str:
    name = runs[best].config["score"]
    told = ", ".join(
        f"{value} {run.card.best[name]:.4g}" for value, run in zip(sweep.values, runs, strict=True)
    )
    return f"{sweep.key}={sweep.values[best]} was chosen by {name} of held-out patients ({told})"


def _settled(out: Path, best: Run, command: str, remark: str) -> Run:
    """All files of the best one, its card last."""
    for path in sorted(best.folder.rglob("*")):
        target = out / path.relative_to(best.folder)
        if path.is_file() and path.name not in {"run.json", ".lock"}:
            target.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(target) as part:
                shutil.copyfile(path, part)
    card = replace(best.card, command=command, remarks=(*best.card.remarks, remark))
    card.write(out / "run.json")
    return Run.open(out)
