"""Ctrl-C and termination as a wish: signals come in, and whether to stop goes out, so that a step can be finished."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interruption", "heeding_interruption"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether someone wants the work to stop."""

    def __init__(self) -> None:
        self.is_wished = False

    def wish(self, number: int, frame: FrameType | None) -> None:
        """The first signal asks; the second does not wait."""
        del number, frame
        if self.is_wished:
            raise KeyboardInterrupt
        self.is_wished = True


@contextmanager
def heeding_interruption() -> Iterator[Interruption]:
    """Within, the first signal to stop is only noted. Signals reach the main thread alone."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    former = {number: signal.signal(number, interruption.wish) for number in SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
