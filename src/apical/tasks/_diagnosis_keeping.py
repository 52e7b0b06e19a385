"""What held-out studies tell of a diagnosis: their scores come in; thresholds and a temperature, in a file, go out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import expit, logit

from apical.errors import ApicalError
from apical.pictures.run_sheet import NOTICE
from apical.statistics.calibration import fitted_temperature
from apical.statistics.operating import Threshold, at_specificity, best_f1, youden
from apical.tasks._study_labels import NO, YES
from apical.whole import whole_file

__all__ = ["Kept", "concluded", "read_kept", "write_kept"]

FILE = "diagnosis.json"
HALF = 0.5
LACKING = "Held-out studies lack a class, so thresholds are a half and beliefs are as they come"
Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
LEAST = 1e-12


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What `diagnosis.json` says."""

    label: str
    classes: tuple[str, ...]
    studies: Mapping[str, int]
    """How many held-out studies of each class it was found on."""
    temperature: float
    """By what logits are divided, so that beliefs are as often right as they say."""
    thresholds: Mapping[str, float]
    """From which probability on the answer is yes: `balanced` is the one that answers go by; `f1` has the best F1;
    `specific` reaches the specificity that was asked for. None for grades."""
    specificity: float
    """The one that was asked for."""
    remarks: tuple[str, ...] = ()


def concluded(studies: pl.DataFrame, label: str, classes: tuple[str, ...], specificity: float) -> Kept:
    """Found on held-out studies, rows of scores whose beliefs are as the network has them."""
    truths = studies["truth"].to_numpy()
    counts = {name: int((truths == number).sum()) for number, name in enumerate(classes)}
    is_binary = classes == (NO, YES)
    temperature, thresholds = 1.0, dict.fromkeys(("balanced", "f1", "specific"), HALF)
    remarks: tuple[str, ...] = (LACKING,)
    if min(counts.values()) > 0:
        temperature, remarks = _temperature(_logits(studies, classes), truths)
        thresholds = _thresholds(studies, temperature, specificity) if is_binary else {}
    return Kept(
        label=label,
        classes=classes,
        studies=counts,
        temperature=temperature,
        thresholds=thresholds if is_binary else {},
        specificity=specificity,
        remarks=remarks,
    )


def write_kept(folder: Path, kept: Kept) -> None:
    """Write it, whole or not at all."""
    with whole_file(folder / FILE) as part:
        text = json.dumps({**asdict(kept), "notice": NOTICE}, indent=1, ensure_ascii=False)
        part.write_text(text + "\n", encoding="utf-8")


def read_kept(folder: Path, label: str, classes: Sequence[str]) -> Kept | None:
    """What `write_kept` wrote, or a person has made of it; nothing where there is no such file yet."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        values.pop("notice", None)
        lists = {name: tuple(values[name]) for name in ("classes", "remarks")}
        kept = Kept(**{**values, **lists})
        numbers = [float(each) for each in (kept.temperature, *kept.thresholds.values())]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise ApicalError(
            "What this run has found on held-out studies can't be read",
            where=str(path),
            remedy="Mend the file, or run 'apical finetune diagnosis' again.",
        ) from None
    if not (kept.temperature > 0 and all(0 <= each <= 1.000001 for each in numbers[1:])):
        raise ApicalError(
            "A threshold is no number from 0 to 1, or the temperature is not above 0",
            where=str(path),
            remedy="Mend the file.",
        )
    if (kept.label, kept.classes) != (label, tuple(classes)):
        raise ApicalError(
            "These thresholds are of another diagnosis",
            where=str(path),
            seen=f"{kept.label}: {', '.join(kept.classes)}",
            remedy="Put this run's own file back, or run 'apical finetune diagnosis' again.",
        )
    return kept


def _temperature(logits: Array, truths: Indices) -> tuple[float, tuple[str, ...]]:
    """The temperature; 1 where nothing limits it, since all held-out studies are told apart."""
    if _are_told_apart(logits, truths):
        return 1.0, ("All held-out studies are told apart, so nothing says how sure beliefs should be",)
    return fitted_temperature(logits, truths), ()


def _are_told_apart(logits: Array, truths: Indices) -> bool:
    """Whether all yes lie above all no, or the likeliest grade is always the right one."""
    if logits.ndim == 1:
        return bool(logits[truths == 1].min() > logits[truths == 0].max())
    return bool((logits.argmax(axis=1) == truths).all())


def _logits(studies: pl.DataFrame, classes: Sequence[str]) -> Array:
    if tuple(classes) != (NO, YES):
        shares = studies.select(f"p_{name}" for name in classes).to_numpy()
        logs: Array = np.log(np.maximum(shares, LEAST))
        return logs
    logits: Array = logit(np.clip(studies["raw_probability"].to_numpy(), LEAST, 1 - LEAST))
    return logits


def _thresholds(studies: pl.DataFrame, temperature: float, specificity: float) -> dict[str, float]:
    """In calibrated probabilities."""
    truths = studies["truth"].to_numpy()
    calibrated = expit(_logits(studies, (NO, YES)) / temperature)
    found: dict[str, Threshold] = {
        "balanced": youden(calibrated, truths),
        "f1": best_f1(calibrated, truths),
        "specific": at_specificity(calibrated, truths, specificity),
    }
    return {name: each.value for name, each in found.items()}
