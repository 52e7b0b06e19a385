"""A run in the making: its folder is claimed by one process; with its settings and card written, it is a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apical.errors import ApicalError, writing
from apical.first_process import is_first_process
from apical.lock import Lock
from apical.run import Run, RunCard
from apical.training_state import Shelf
from apical.whole import whole_file

__all__ = ["RunDraft", "claimed"]

LOCK = ".lock"
BEGUN = ("metrics.jsonl", "checkpoints", "config.yaml")
"""What a run that failed before it had a card may have left."""


@contextmanager
def claimed(folder: Path, *, resumes: bool) -> Iterator[RunDraft]:
    """Within, no other command writes into `folder`; a folder that holds something else is refused."""
    if not is_first_process():  # the first one has claimed it for all
        yield RunDraft(folder, resumes=resumes)
        return
    with writing(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        lock = Lock(folder / LOCK, f"trains the run in {folder}")
    try:
        _refuse_others(folder, resumes)
        yield RunDraft(folder, resumes=resumes)
    finally:
        if [path.name for path in folder.iterdir()] == [LOCK]:  # nothing came of it
            (folder / LOCK).unlink()
            folder.rmdir()
        lock.release()


class RunDraft:
    """The folder of a run that is begun or goes on."""

    def __init__(self, folder: Path, *, resumes: bool) -> None:
        self.folder = folder
        self.former: Run | None = None
        if resumes and (folder / "run.json").is_file():
            self.former = Run.open(folder)

    @property
    def shelf(self) -> Shelf:
        """Where its checkpoints are."""
        return Shelf(
            resume=Run.resume_path(self.folder),
            last=Run.weights_path(self.folder, "last"),
            best=Run.weights_path(self.folder, "best"),
        )

    @property
    def goes_on(self) -> bool:
        """Whether there is a state to go on from."""
        return self.shelf.resume.is_file()

    def refuse_changes(self, settings: Mapping[str, Any], may_change: set[str], content: str) -> None:
        """Stop when this is not the run that was begun: other settings, or other data."""
        if self.former is None or not self.goes_on:
            return
        before = self.former.config
        changed = [key for key in settings if key not in may_change and settings[key] != before.get(key)]
        if changed:
            raise ApicalError(
                f"This run was begun with other settings of {', '.join(changed)}",
                where=str(self.folder),
                remedy="Leave the recipe and those settings out to resume it, or take a new --out.",
            )
        if self.former.card.data["content_sha256"] != content:
            raise ApicalError(
                "This run was begun on other data: the dataset has changed since",
                where=str(self.folder),
                remedy="Resume it with the dataset it was begun on, or take a new --out.",
            )

    def write(self, settings: str, card: RunCard) -> None:
        """Write the settings, as YAML, and the card, with which the folder is a run."""
        with whole_file(Run.config_path(self.folder)) as part:
            part.write_text(settings, encoding="utf-8")
        card.write(self.folder / "run.json")


def _refuse_others(folder: Path, resumes: bool) -> None:
    has_state = Run.resume_path(folder).is_file()
    if not has_state and Run.weights_path(folder, "last").is_file():
        raise ApicalError(
            "This run has weights, but not the state to go on from",
            where=str(Run.resume_path(folder)),
            remedy="Put that file back, or take a new --out and start from these weights: --init RUN.",
        )
    if (folder / "run.json").is_file():
        is_finished = Run.open(folder).card.is_finished
        if not resumes and (has_state or is_finished):
            raise ApicalError(
                f"There is a {'finished' if is_finished else 'stopped'} run here already",
                where=str(folder),
                remedy="Take another --out" + ("." if is_finished else ", or go on with it: --resume."),
            )
    elif {path.name for path in folder.iterdir() if path.suffix != ".part"} - {LOCK, *BEGUN}:
        raise ApicalError(
            "This folder holds something that is no run",
            where=str(folder),
            remedy="Take a new or empty --out.",
        )
