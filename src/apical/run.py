"""The run artifact: a folder that training leaves comes in; its settings, weights and figures go out.

`config.yaml` alone repeats the run, `run.json` says what it is and where it came from, `metrics.jsonl` has its
figures, `checkpoints/` holds `last` and `best` weights and, apart from them, the state that resumes training.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml
from torch import Tensor

from apical.checkpoint import read_about, read_tensors
from apical.errors import ApicalError, nearest
from apical.whole import whole_file

__all__ = ["Run", "RunCard"]

Which = Literal["last", "best"]


@dataclass(frozen=True, kw_only=True)
class RunCard:
    """What `run.json` says: what was trained, on what, with what, for how long, on whose terms."""

    stage: str
    method: str
    command: str
    data: Mapping[str, Any]
    """The dataset's title, source, content hash, counts used, and whether it is synthetic."""
    licences: tuple[str, ...]
    """Of the data and of the weights that it started from."""
    versions: Mapping[str, str]
    device: str
    processes: int
    precision: str
    remarks: tuple[str, ...] = ()
    """What a reader should know, such as how many clips a sampling rule left out."""
    steps: int = 0
    seconds: float = 0.0
    """Of training, over all starts."""
    best: Mapping[str, float] = field(default_factory=dict)
    """The figures of the best checkpoint."""
    is_finished: bool = False
    notice: str = "Research use only. Not a medical device."

    def write(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        with whole_file(path) as part:
            part.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> RunCard:
        """Read what `write` wrote."""
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**values, "licences": tuple(values["licences"]), "remarks": tuple(values["remarks"])})


@dataclass(frozen=True)
class Run:
    """A folder that training left, finished or not."""

    folder: Path
    card: RunCard = field(repr=False)

    @classmethod
    def open(cls, folder: Path) -> Run:
        """The run in `folder`; an error says what is wrong when there is none."""
        path = Path(folder) / "run.json"
        if not path.is_file():
            raise ApicalError(
                "This is no run: it has no run.json",
                where=str(folder),
                remedy="Name a folder that 'apical pretrain' or 'apical finetune' wrote.",
            )
        try:
            return cls(Path(folder), RunCard.read(path))
        except (json.JSONDecodeError, UnicodeDecodeError, TypeError, KeyError):
            raise ApicalError(
                "The card of this run can't be read",
                where=str(path),
                remedy="Train again into another folder.",
            ) from None

    @staticmethod
    def config_path(folder: Path) -> Path:
        """Where a run's settings are."""
        return folder / "config.yaml"

    @staticmethod
    def weights_path(folder: Path, which: Which) -> Path:
        """Where a run's weights are."""
        return folder / "checkpoints" / f"{which}.safetensors"

    @staticmethod
    def resume_path(folder: Path) -> Path:
        """Where the state is from which training goes on."""
        return folder / "checkpoints" / "resume.safetensors"

    @cached_property
    def config(self) -> dict[str, Any]:
        """The settings, as plain values."""
        path = self.config_path(self.folder)
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            values = None
        if not isinstance(values, dict):
            raise ApicalError(
                "The settings of this run can't be read", where=str(path), remedy="Train again."
            )
        return values

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl`, oldest first; a line that is being written is left out."""
        path = self.folder / "metrics.jsonl"
        if not path.is_file():
            return []
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def weights(self, which: Which = "best") -> dict[str, Tensor]:
        """The tensors of a checkpoint, by the name of the module they belong to and their own."""
        return read_tensors(self._weights_path(which))[0]

    def about_weights(self, which: Which = "best") -> dict[str, Any]:
        """At which step, and with which figures, a checkpoint was made."""
        return read_about(self._weights_path(which))

    def _weights_path(self, which: Which) -> Path:
        path = self.weights_path(self.folder, which)
        if not path.is_file():
            there = [file.stem for file in path.parent.glob("*.safetensors") if file.stem != "resume"]
            raise ApicalError(
                f"This run has no '{which}' weights yet", where=str(self.folder), remedy=nearest(which, there)
            )
        return path
