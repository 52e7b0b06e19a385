"""What speed is measured with: work comes in; its seconds, and the most that the machine can do, go out."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

__all__ = ["describe", "finish", "matmul_peak", "one_thread", "seconds_of", "work_seconds_of"]


def finish(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """Seconds on the wall."""
    finish(device)
    began = time.perf_counter()
    work()
    finish(device)
    return time.perf_counter() - began


def work_seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of processor time, all threads together, which other programs don't lengthen; on a GPU, on the wall."""
    if device.type != "cpu":
        return seconds_of(work, device)
    began = time.process_time()
    work()
    return time.process_time() - began


@contextmanager
def one_thread() -> Iterator[None]:
    """Within, torch works in one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def matmul_peak(
    dtype: torch.dtype, device: torch.device, sides: tuple[int, ...], least_seconds: float
) -> float:
    """The most FLOP/s of products of two square matrices, of the best side; each side works for `least_seconds`."""
    return max(_matmul_rate(dtype, device, side, least_seconds) for side in sides)


def _matmul_rate(dtype: torch.dtype, device: torch.device, side: int, least_seconds: float) -> float:
    left, right, product = (torch.randn(side, side, device=device).to(dtype) for _ in range(3))
    flops = 2 * side**3

    def products(count: int) -> Callable[[], None]:
        def work() -> None:
            for _ in range(count):
                torch.mm(left, right, out=product)

        return work

    seconds_of(products(1), device)
    count = max(1, round(least_seconds / seconds_of(products(1), device)))
    return count * flops / seconds_of(products(count), device)


def describe(device: torch.device) -> str:
    """The processor, its cores and threads, torch, and the GPU if that is what works."""
    words = [
        _processor(),
        f"{os.cpu_count()} cores, {torch.get_num_threads()} threads",
        f"torch {torch.__version__}",
    ]
    if device.type == "cuda":
        words.insert(0, torch.cuda.get_device_name(device))
    return "; ".join(words)


def _processor() -> str:
    table = Path("/proc/cpuinfo")
    lines = table.read_text(encoding="utf-8").splitlines() if table.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
