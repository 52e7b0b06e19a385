"""Work that may crash, hang or eat memory, done in processes of its own: items come in, results go out in order."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Generic, TypeVar

from apical.errors import ApicalError, MachineError

__all__ = ["Crash", "available_cores", "most_in_flight", "ordered_map"]

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2
"""Items handed to a worker at once, so that it never waits for the parent."""
SMALL_BYTES = 32 * 2**10
"""A larger item is handed over only to a worker that waits for it: one that doesn't read would block the parent."""
STARTING_S = 120.0
"""Longest time for a worker to start."""


@dataclass(frozen=True, slots=True)
class Crash:
    """Why there is no result: in our own words, without a text that may come from a patient's file."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Parcel:
    """An item on its way, packed once."""

    index: int
    packed: bytes


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    connection: Connection
    deadline: float
    pending: deque[_Parcel] = field(default_factory=deque)
    is_ready: bool = False


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def most_in_flight(processes: int) -> int:
    """How many items `ordered_map` takes, at most, before the first of them is given back."""
    return 2 * AHEAD * processes


def ordered_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    processes: int,
    timeout_s: float,
    memory_mb: int | None = None,
) -> Iterator[Result | Crash | ApicalError]:
    """Yield `function(item)` for each item, in order; a failure is yielded in its place, and the rest goes on.

    At most a few items a process are in flight, so memory does not grow with their number. A worker that
    dies, or that takes longer than `timeout_s` for one item, is replaced.
    """
    pool = _Pool(function, iter(items), processes, timeout_s, memory_mb)
    try:
        yield from pool.results()
    finally:
        pool.close()


class _Pool(Generic[Item, Result]):
    def __init__(
        self,
        function: Callable[[Item], Result],
        items: Iterator[Item],
        processes: int,
        timeout_s: float,
        memory_mb: int | None,
    ) -> None:
        assert processes > 0
        self.function, self.items = function, items
        self.timeout_s, self.memory_mb = timeout_s, memory_mb
        self.context = multiprocessing.get_context("spawn")
        self.waiting: deque[_Parcel] = deque()
        self.done: dict[int, Result | Crash | ApicalError] = {}
        self.taken = self.given = 0
        self.exhausted = False
        self.workers: list[_Worker] = []
        self.workers.extend(self._start() for _ in range(processes))

    def results(self) -> Iterator[Result | Crash | ApicalError]:
        while True:
            self._feed()
            while self.given in self.done:
                yield self.done.pop(self.given)
                self.given += 1
                self._feed()
            if self.given == self.taken and self.exhausted:
                return
            self._collect()

    def close(self) -> None:
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            worker.process.join()
            worker.connection.close()

    def _start(self) -> _Worker:
        ours, theirs = self.context.Pipe()
        process = self.context.Process(
            target=_serve, args=(self.function, theirs, self.memory_mb), daemon=True
        )
        with _starting():
            process.start()
        theirs.close()
        return _Worker(process, ours, deadline=time.monotonic() + STARTING_S)

    def _feed(self) -> None:
        """Hand out items, as long as not too many results wait for an earlier one."""
        for worker in self.workers:
            while worker.is_ready and len(worker.pending) < AHEAD and self._has_parcel():
                parcel = self.waiting[0]
                if worker.pending and len(parcel.packed) > SMALL_BYTES:
                    break
                self._hand(worker, self.waiting.popleft())

    def _has_parcel(self) -> bool:
        """Whether an item is at hand; takes the next one if its result may come without crowding."""
        if not self.waiting and self.taken - self.given < most_in_flight(len(self.workers)):
            for item in self.items:
                self.waiting.append(_Parcel(self.taken, bytes(ForkingPickler.dumps(item))))
                self.taken += 1
                return True
            self.exhausted = True
        return bool(self.waiting)

    def _hand(self, worker: _Worker, parcel: _Parcel) -> None:
        if not worker.pending:
            worker.deadline = time.monotonic() + self.timeout_s
        worker.pending.append(parcel)
        # one that has just died can't take it: `_collect` sees that and hands its items to the next
        with suppress(BrokenPipeError, ConnectionResetError):
            worker.connection.send_bytes(parcel.packed)

    def _collect(self) -> None:
        """Wait until a worker is ready, answers, dies, or is late."""
        busy = [worker for worker in self.workers if worker.pending or not worker.is_ready]
        if not busy:
            return
        soonest = min(worker.deadline for worker in busy)
        ready = wait([worker.connection for worker in busy], timeout=max(0.0, soonest - time.monotonic()))
        for worker in busy:
            if worker.connection in ready:
                self._receive(worker)
            elif time.monotonic() >= worker.deadline:
                self._replace(worker, Crash(f"took longer than {self.timeout_s:g} s to decode"))

    def _receive(self, worker: _Worker) -> None:
        try:
            result = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            worker.process.join()
            self._replace(worker, Crash(f"the decoder died ({_exit_text(worker.process.exitcode)})"))
            return
        worker.deadline = time.monotonic() + self.timeout_s
        if worker.is_ready:
            self.done[worker.pending.popleft().index] = result
        worker.is_ready = True

    def _replace(self, worker: _Worker, crash: Crash) -> None:
        """Blame the item at the head; those behind it go to another worker."""
        worker.process.kill()
        worker.process.join()
        worker.connection.close()
        self.workers.remove(worker)
        if not worker.is_ready:
            raise MachineError(
                "Worker processes can't start",
                seen=f"one ended before its first item ({_exit_text(worker.process.exitcode)})",
                remedy="In a script of your own, put the call below `if __name__ == '__main__':`",
            )
        self.done[worker.pending.popleft().index] = crash
        self.waiting.extendleft(reversed(worker.pending))
        self.workers.append(self._start())


@contextmanager
def _starting() -> Iterator[None]:
    """Let what starts now use one thread for matrix products, and be deaf to Ctrl-C, which is the parent's to hear."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    resource_tracker.ensure_running()  # else it is started along with the first worker, and lets Ctrl-C in again
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _serve(function: Callable[[Item], Result], connection: Connection, memory_mb: int | None) -> None:
    """A worker's life: say that it is there, then take an item and answer with its result until the parent is gone."""
    _limit_memory(memory_mb)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        connection.send(None)
        while True:
            connection.send_bytes(_answer(function, connection.recv()))


def _answer(function: Callable[[Item], Result], item: Item) -> bytes:
    """The result, packed; or why there is none."""
    try:
        return bytes(ForkingPickler.dumps(_attempt(function, item)))
    except MemoryError:
        return bytes(ForkingPickler.dumps(Crash("needed more memory than one file may take")))


def _attempt(function: Callable[[Item], Result], item: Item) -> Result | Crash | ApicalError:
    try:
        return function(item)
    except ApicalError as error:
        return error
    except MemoryError:
        return Crash("needed more memory than one file may take")
    except Exception as error:  # noqa: BLE001  A decoder may raise anything; its text may hold what a patient's file says
        return Crash(_failure_text(error))


def _failure_text(error: Exception) -> str:
    """What kind of failure it was and where, but not its own words."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    path = Path(place.filename)
    if path.is_relative_to(Path(__file__).parent):
        return f"an internal error ({type(error).__name__} in {path.name}, line {place.lineno}); please report it"
    return f"the decoder failed ({type(error).__name__} in {path.name})"


def _limit_memory(memory_mb: int | None) -> None:
    if memory_mb is None or not sys.platform.startswith("linux"):
        return
    held = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    limit = held + memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _exit_text(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return signal.Signals(-exitcode).name
    return f"exit code {exitcode}"
