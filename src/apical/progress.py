"""How far long work is: a bar with rate and time left on a terminal, plain lines elsewhere, always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Progress", "progress"]

SECONDS_BETWEEN_LINES = 5.0


class Progress(Protocol):
    """What long work tells of itself."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """`steps` more are done; `note` is a word on how it goes."""


@contextmanager
def progress(
    title: str, total: int | None, unit: str, done: int = 0, speaks: bool = True
) -> Iterator[Progress]:
    """Show how far `total` units of work are, `done` of them before this start; the rate counts what is new."""
    if not speaks:
        yield _Silence()
    elif sys.stderr.isatty():
        with _bar(title, total, unit, done) as bar:
            yield bar
    else:
        lines = _Lines(title, total, unit, done, done)
        yield lines
        lines.say()


@contextmanager
def _bar(title: str, total: int | None, unit: str, done: int) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{unit}, {{task.fields[rate]}}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with RichProgress(*columns, console=Console(stderr=True)) as rich:
        yield _Bar(rich, title, total, done)


class _Silence:
    """One of several processes, of which the first speaks."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        del steps, note


class _Bar:
    def __init__(self, rich: object, title: str, total: int | None, done: int) -> None:
        from rich.progress import Progress as RichProgress

        assert isinstance(rich, RichProgress)
        self.rich = rich
        self.task = rich.add_task(title, total=total, completed=done, rate="", note="")

    def advance(self, steps: int = 1, note: str = "") -> None:
        task = self.rich.tasks[0]
        rate = f"{task.speed:.1f}/s" if task.speed else ""
        self.rich.update(self.task, advance=steps, rate=rate, note=note or task.fields["note"])


@dataclass
class _Lines:
    title: str
    total: int | None
    unit: str
    done: int
    before: int
    note: str = ""
    began: float = field(default_factory=time.monotonic)
    said: float = field(default_factory=time.monotonic)

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.done += steps
        self.note = note or self.note
        if time.monotonic() - self.said >= SECONDS_BETWEEN_LINES:
            self.say()

    def say(self) -> None:
        self.said = time.monotonic()
        passed = max(self.said - self.began, 1e-9)
        rate = (self.done - self.before) / passed
        of = f"/{self.total}" if self.total is not None else ""
        left = ""
        if self.total is not None and self.before < self.done < self.total:
            left = f", {(self.total - self.done) / rate:.0f} s left"
        note = f", {self.note}" if self.note else ""
        line = f"{self.title}: {self.done}{of} {self.unit}, {rate:.1f}/s{left}{note}"
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
