"""The lines that every run keeps, and what a kill and a resumption do to them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from apical.errors import MachineError
from apical.loggers.jsonl import JsonLines


def lines(folder: Path) -> list[dict[str, float | None]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def logged(folder: Path, steps: range, after_step: int = 0) -> None:
    logger = JsonLines(folder, {}, after_step)
    for step in steps:
        logger.log(step, {"loss": 1 / step})
    logger.close()


def test_a_line_is_a_step_and_its_figures(tmp_path: Path) -> None:
    JsonLines(tmp_path, {}, 0).log(3, {"loss": 0.5, "knn_echo_view": np.float64(0.25)})
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 3, "loss": 0.5, "knn_echo_view": 0.25}\n'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_null(tmp_path: Path, value: float) -> None:
    JsonLines(tmp_path, {}, 0).log(1, {"loss": value, "lr": 0.5})
    assert lines(tmp_path) == [{"step": 1, "loss": None, "lr": 0.5}]


def test_a_line_is_there_at_once(tmp_path: Path) -> None:
    logger = JsonLines(tmp_path, {}, 0)
    for step in (1, 2):
        logger.log(step, {"loss": 0.5})
        assert len(lines(tmp_path)) == step


def test_a_run_that_resumes_has_each_step_once(tmp_path: Path) -> None:
    logged(tmp_path, range(1, 8))
    logged(tmp_path, range(5, 11), after_step=4)
    assert [line["step"] for line in lines(tmp_path)] == list(range(1, 11))


@pytest.mark.parametrize("kept", range(1, 24))
def test_a_torn_last_line_is_cut_off(tmp_path: Path, kept: int) -> None:
    logged(tmp_path, range(1, 4))
    path = tmp_path / "metrics.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"step": 3, "loss": 0.5}\n'[:kept])
    logged(tmp_path, range(4, 5), after_step=3)
    assert path.read_bytes().startswith(whole)
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "junk", [b"\0\0\0\n", b"\xff\xfe\n", b"3\n", b"[]\n", b'{"loss": 1}\n', b'{"step": "1"}\n']
)
def test_what_a_power_cut_leaves_is_dropped(tmp_path: Path, junk: bytes) -> None:
    logged(tmp_path, range(1, 3))
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(path.read_bytes() + junk)
    logged(tmp_path, range(3, 4), after_step=2)
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3]


def test_a_whole_file_is_left_as_it_is(tmp_path: Path) -> None:
    logged(tmp_path, range(1, 4))
    path = tmp_path / "metrics.jsonl"
    before = path.stat()
    JsonLines(tmp_path, {}, 3)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_kill_while_cutting_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged(tmp_path, range(1, 6))
    before = (tmp_path / "metrics.jsonl").read_bytes()

    def killed(_: Path, __: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        JsonLines(tmp_path, {}, 2)
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    monkeypatch.undo()
    JsonLines(tmp_path, {}, 2)
    assert [line["step"] for line in lines(tmp_path)] == [1, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_a_place_that_takes_nothing_is_named(tmp_path: Path) -> None:
    logger = JsonLines(tmp_path, {}, 0)
    tmp_path.joinpath("metrics.jsonl").mkdir()
    with pytest.raises(MachineError, match=r"metrics\.jsonl"):
        logger.log(1, {"loss": 0.5})
