"""Several places for the same figures: their names come in, one logger that writes to all of them goes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from apical import registry
from apical.loggers.base import Logger

__all__ = ["open_loggers"]

ALWAYS = "jsonl"


def open_loggers(
    names: Iterable[str], folder: Path, settings: Mapping[str, object], after_step: int
) -> Logger:
    """These loggers and, named or not, `metrics.jsonl`; if one can't be opened, none stays open."""
    loggers: list[Logger] = []
    with ExitStack() as opened:
        for name in dict.fromkeys([ALWAYS, *names]):
            loggers.append(registry.load("loggers", name)(folder, settings, after_step))
            opened.callback(loggers[-1].close)
        opened.pop_all()
    return _Several(loggers)


class _Several(Logger):
    """Figures go to each in turn."""

    def __init__(self, loggers: Sequence[Logger]) -> None:
        self._loggers = loggers

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        for logger in self._loggers:
            logger.log(step, figures)

    def close(self) -> None:
        """Close all, the last first, even if one of them fails."""
        with ExitStack() as closing:
            for logger in self._loggers:
                closing.callback(logger.close)
