"""Workers keep order and go on after anything that one item may do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from apical.errors import ApicalError
from apical.workers import Crash, ordered_map

PATIENT = "DOE^JANE"


def work(item: str) -> str:
    if item == "die":
        os._exit(3)
    if item == "segfault":
        os.kill(os.getpid(), 11)
    if item == "hang":
        time.sleep(60)
    if item == "eat":
        return str(np.ones(4 * 2**30, dtype=np.uint8).sum())
    if item == "fail":
        raise ValueError(PATIENT)
    if item == "mend":
        raise ApicalError("bad", remedy="mend it")
    return item.upper()


def run(items: list[str], processes: int = 2) -> list[str | Crash | ApicalError]:
    return list(ordered_map(work, items, processes=processes, timeout_s=3, memory_mb=512))


def test_results_come_in_order() -> None:
    items = [f"item {index}" for index in range(40)]
    assert run(items) == [item.upper() for item in items]


@pytest.mark.parametrize("processes", [1, 2])
def test_a_mishap_costs_only_its_own_item(processes: int) -> None:
    bad = ["die", "segfault", "hang", "eat", "fail", "mend"]
    items = [name for each in bad for name in ("before", each, "after")]
    results = run(items, processes)
    for item, result in zip(items, results, strict=True):
        if item in ("before", "after"):
            assert result == item.upper()
        else:
            assert isinstance(result, ApicalError if item == "mend" else Crash)


def test_a_crash_never_tells_what_the_file_said() -> None:
    (crash,) = run(["fail"])
    assert isinstance(crash, Crash)
    assert PATIENT not in crash.reason
    assert "ValueError" in crash.reason


def test_items_are_taken_only_as_they_are_needed() -> None:
    taken: list[int] = []

    def items() -> Iterator[str]:
        for index in range(1000):
            taken.append(index)
            yield str(index)

    results = ordered_map(work, items(), processes=1, timeout_s=5)
    next(results)
    assert len(taken) < 20
    results.close()  # type: ignore[attr-defined]


def test_nothing_in_nothing_out() -> None:
    assert run([]) == []


def echo(item: bytes) -> bytes:
    if item.startswith(b"hang"):
        time.sleep(60)
    return item * 3


def test_items_and_results_larger_than_a_pipe_block_nobody() -> None:
    items = [bytes([index]) * 1_000_000 for index in range(8)]
    assert list(ordered_map(echo, items, processes=2, timeout_s=20)) == [item * 3 for item in items]


def test_a_deadline_holds_while_large_items_wait() -> None:
    items = [b"hang" + bytes(1_000_000), bytes(1_000_000), bytes(1_000_000)]
    began = time.monotonic()
    first, *others = ordered_map(echo, items, processes=1, timeout_s=2)
    assert isinstance(first, Crash)
    assert others == [item * 3 for item in items[1:]]
    assert time.monotonic() - began < 20


UNGUARDED = """
from apical.workers import ordered_map
print(list(ordered_map(len, ["item"], processes=1, timeout_s=5)))
"""


def test_a_script_that_would_start_itself_again_is_told_how_to_mend_that(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    answer = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert answer.returncode != 0
    assert "MachineError" in answer.stderr
    assert "__main__" in answer.stderr
