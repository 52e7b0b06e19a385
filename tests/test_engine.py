"""The loop: steps are functions of their moment, interruptions cost nothing, and a run that goes astray is stopped."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import save_file
from torch import Tensor, nn

from apical.checkpoint import read_about, read_tensors
from apical.engine import train
from apical.errors import ApicalError, MachineError
from apical.moment import Moment
from apical.schedules import Schedule
from apical.trainer import TrainingConfig
from apical.training_state import Shelf


class Line(nn.Module):
    """A line through noisy points, with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(3, 8), nn.Linear(8, 1)
        self.dropout: nn.Module = nn.Dropout(0.3)
        self.calls: list[str] = []

    def forward(self, batch: tuple[Tensor, Tensor], moment: Moment) -> Mapping[str, Tensor]:
        del moment
        points, truth = batch
        return {"loss": (self.outer(self.dropout(self.inner(points))) - truth).square().mean()}

    def before_step(self, moment: Moment) -> None:
        self.calls.append(f"before {moment.step}")

    def after_step(self, moment: Moment) -> None:
        self.calls.append(f"after {moment.step}")


class FittingALine:
    """A small job; `spoils` may change a batch, or do something else, at a step."""

    title, score, higher_is_better, advice = "Fitting", "val_loss", False, "Rest."
    batch_size, steps_per_epoch, peak_lr = 8, 5, 0.05
    final_weight_decay: float | None = None

    def __init__(self, spoils: Callable[[int, Tensor], Tensor] = lambda _, points: points) -> None:
        torch.manual_seed(0)
        self.model = Line()
        self.optimiser: torch.optim.Optimizer = torch.optim.Adam(self.model.parameters())
        self.spoils = spoils

    def batch(self, moment: Moment, part: int, parts: int) -> tuple[Tensor, Tensor]:
        points = torch.randn(8, 3, generator=torch.Generator().manual_seed(moment.step))
        points = self.spoils(moment.step, points)
        size = 8 // parts
        points = points[part * size : (part + 1) * size]
        return points, points.sum(dim=1, keepdim=True)

    def evaluate(self, moment: Moment) -> Mapping[str, float]:
        weight = float(self.model.inner.weight.detach().sum())
        return {"val_loss": abs(weight - math.pi) + moment.step * 0}

    def weights(self) -> Mapping[str, Tensor]:
        return dict(self.model.state_dict())


def shelf_in(folder: Path) -> Shelf:
    folder.mkdir(exist_ok=True)
    return Shelf(folder / "resume.safetensors", folder / "last.safetensors", folder / "best.safetensors")


def fit(folder: Path, job: FittingALine | None = None, **settings: object) -> dict[str, Tensor]:
    config = TrainingConfig.model_validate({"epochs": 4, "precision": "32", "device": "cpu", **settings})
    fabric = Fabric(accelerator="cpu", devices=1)
    train(job or FittingALine(), config, fabric, shelf_in(folder), lambda _, __: None)
    return read_tensors(folder / "last.safetensors")[0]


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path: Path) -> None:
    assert same(fit(tmp_path / "a"), fit(tmp_path / "b"))
    assert not same(fit(tmp_path / "a2", seed=1), fit(tmp_path / "b2"))


def test_training_fits_the_line(tmp_path: Path) -> None:
    losses: list[float] = []
    config = TrainingConfig(epochs=40, precision="32", device="cpu")
    fabric = Fabric(accelerator="cpu", devices=1)
    train(FittingALine(), config, fabric, shelf_in(tmp_path), lambda _, f: losses.append(f["loss"]))
    assert losses[-1] < losses[0] / 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_step_saves_and_costs_nothing(tmp_path: Path, number: signal.Signals) -> None:
    def interrupt(step: int, points: Tensor) -> Tensor:
        if step == 7:
            os.kill(os.getpid(), number)
        return points

    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "cut", FittingALine(interrupt))
    assert signal.getsignal(number) is before
    assert read_about(tmp_path / "cut" / "resume.safetensors")["state"]["step"] == 8
    assert same(fit(tmp_path / "cut"), fit(tmp_path / "whole"))


def test_accumulated_parts_have_the_gradient_of_the_whole(tmp_path: Path) -> None:
    def without_dropout() -> FittingALine:
        job = FittingALine()
        job.model.dropout = nn.Identity()
        return job

    whole = fit(tmp_path / "whole", without_dropout())
    parts = fit(tmp_path / "parts", without_dropout(), accumulate=4)
    assert all(torch.allclose(whole[name], parts[name], atol=1e-5) for name in whole)


def test_the_model_is_told_before_and_after_each_step(tmp_path: Path) -> None:
    job = FittingALine()
    fit(tmp_path, job, epochs=1)
    assert job.model.calls == [f"{when} {step}" for step in range(5) for when in ("before", "after")]


def test_a_loss_that_is_no_number_stops_and_the_checkpoint_is_from_before(tmp_path: Path) -> None:
    def spoil(step: int, points: Tensor) -> Tensor:
        return points * (math.nan if step == 12 else 1)

    with pytest.raises(ApicalError, match="step 13"):
        fit(tmp_path, FittingALine(spoil), checkpoint_seconds=0, log_every=1)
    tensors, about = read_tensors(tmp_path / "resume.safetensors")
    assert about["state"]["step"] == 12
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())


def test_weights_that_are_no_numbers_are_never_saved(tmp_path: Path) -> None:
    job = FittingALine()

    def spoil(step: int, points: Tensor) -> Tensor:
        if step == 12:
            with torch.no_grad():
                job.model.outer.bias.fill_(math.nan)
        return points

    job.spoils = spoil
    with pytest.raises(ApicalError, match=r"not a finite number|not finite numbers"):
        fit(tmp_path, job, checkpoint_seconds=0, log_every=1)
    assert read_about(tmp_path / "resume.safetensors")["state"]["step"] == 12


def test_a_full_disk_stops_and_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apical import checkpoint

    write = save_file

    def fail_later(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
        if '"step": 15' in metadata["apical"]:
            raise OSError(28, "No space left on device")
        write(dict(tensors), path, metadata=dict(metadata))

    monkeypatch.setattr(checkpoint, "save_file", fail_later)
    with pytest.raises(MachineError, match="No space left"):
        fit(tmp_path / "full", checkpoint_seconds=0)
    monkeypatch.undo()
    assert same(fit(tmp_path / "full"), fit(tmp_path / "whole"))


def test_a_stop_at_any_write_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from apical import checkpoint

    count = 0
    stops_at = 0

    def stop(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
        nonlocal count
        count += 1
        if count == stops_at:
            raise KeyboardInterrupt
        save_file(dict(tensors), path, metadata=dict(metadata))

    monkeypatch.setattr(checkpoint, "save_file", stop)
    settings: dict[str, Any] = {"epochs": 2, "checkpoint_seconds": 0, "log_every": 2}
    fit(tmp_path / "whole", **settings)
    for stops_at in range(1, count + 1):
        count = 0
        with pytest.raises(KeyboardInterrupt):
            fit(tmp_path / str(stops_at), **settings)
        fit(tmp_path / str(stops_at), **settings)
        for name in ("last", "best", "resume"):
            found, whole = (
                read_tensors(tmp_path / run / f"{name}.safetensors") for run in (str(stops_at), "whole")
            )
            assert same(found[0], whole[0])
            assert found[1].get("step") == whole[1].get("step")


def test_the_best_checkpoint_has_the_best_figure(tmp_path: Path) -> None:
    seen: dict[int, float] = {}

    def log(step: int, figures: Mapping[str, float]) -> None:
        if "val_loss" in figures:
            seen[step] = figures["val_loss"]

    config = TrainingConfig(epochs=10, precision="32", device="cpu", evaluate_every=2)
    state = train(FittingALine(), config, Fabric(accelerator="cpu", devices=1), shelf_in(tmp_path), log)
    assert set(seen) == {10, 20, 30, 40, 50}
    best = min(seen, key=lambda step: seen[step])
    assert state.best["step"] == best
    assert read_about(tmp_path / "best.safetensors")["step"] == best


@pytest.mark.parametrize(
    ("figures", "best"), [([3.0, 2.0, math.nan], 2), ([math.nan, 5.0, 6.0], 2), ([2.0, math.inf, 2.0], 3)]
)
def test_a_figure_that_is_no_number_is_never_the_best(
    tmp_path: Path, figures: list[float], best: int
) -> None:
    class Measured(FittingALine):
        def evaluate(self, moment: Moment) -> Mapping[str, float]:
            return {"val_loss": figures[moment.epoch - 1]}

    fit(tmp_path, Measured(), epochs=3)
    assert read_about(tmp_path / "best.safetensors")["epoch"] == best


def test_an_average_of_the_weights_is_what_is_left(tmp_path: Path) -> None:
    plain = fit(tmp_path / "plain")
    averaged = fit(tmp_path / "averaged", average=0.9)
    state = read_tensors(tmp_path / "averaged" / "resume.safetensors")[0]
    trained = {name.removeprefix("model."): state[name] for name in state if name.startswith("model.")}
    assert same(trained, plain)
    assert not same(averaged, plain)
    assert all(torch.equal(averaged[name], state[f"average.{name}"]) for name in averaged)


def test_no_epochs_leave_the_first_weights(tmp_path: Path) -> None:
    assert same(fit(tmp_path, epochs=0), FittingALine().weights())
    assert (tmp_path / "best.safetensors").is_file()


def test_the_learning_rate_follows_its_schedule(tmp_path: Path) -> None:
    rates: dict[int, float] = {}
    config = TrainingConfig(
        epochs=4, precision="32", device="cpu", log_every=1, schedule=Schedule(warmup_epochs=2)
    )
    fabric = Fabric(accelerator="cpu", devices=1)
    train(FittingALine(), config, fabric, shelf_in(tmp_path), lambda step, f: rates.update({step: f["lr"]}))
    assert [rates[step] for step in (1, 5, 10)] == pytest.approx([0.005, 0.025, 0.05])
    assert rates[20] < rates[11] < 0.0501


def test_a_score_that_does_not_get_better_ends_training_early(tmp_path: Path) -> None:
    figures = [3.0, 2.0, 2.5, 2.4, 2.6, 1.0]

    class Measured(FittingALine):
        def evaluate(self, moment: Moment) -> Mapping[str, float]:
            return {"val_loss": figures[moment.epoch - 1]}

    fit(tmp_path, Measured(), epochs=6, patience=3)
    assert read_about(tmp_path / "best.safetensors")["epoch"] == 2
    assert read_about(tmp_path / "last.safetensors")["epoch"] == 5
    assert same(
        fit(tmp_path, Measured(), epochs=6, patience=3), read_tensors(tmp_path / "last.safetensors")[0]
    )
