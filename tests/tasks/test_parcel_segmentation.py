"""Masks from parcels as a user meets them: four rules, a file that decides, and clear mishaps."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from apical import runlength
from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.models import model_of
from apical.run import Run
from apical.scores import Scores
from apical.segments import Segments
from tests.tasks.parcelled import PARCELS, RULES, ParcelRuns, copied, fitted, hearts, judged


@pytest.fixture
def dataset(parcel_runs: ParcelRuns) -> Dataset:
    return parcel_runs.dataset


@pytest.fixture
def parcelled(parcel_runs: ParcelRuns) -> Run:
    return parcel_runs.parcelled


@pytest.fixture
def runs(parcel_runs: ParcelRuns) -> dict[str, Run]:
    return parcel_runs.by_rule


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are slow, and most tests look at none."""
    monkeypatch.setattr("apical.finetune.report_fitting", lambda _run, _job: None)
    monkeypatch.setattr("apical.tasks._mask_task.draw_scores", lambda *_: {})


def dice(scores: Scores, structure: str = "lv") -> float:
    return float(scores.card.summary["structures"][structure]["all"]["dice"]["mean"])


def edit(run: Run, change: Callable[[dict[str, Any]], object]) -> None:
    path = Segments.path(run.folder)
    values = yaml.safe_load(path.read_text())
    change(values)
    path.write_text(yaml.safe_dump(values))


def named(path: Path, members: Mapping[str, Collection[int]], parcels: int = PARCELS) -> Path:
    """A file as a person fills it in."""
    structures = {name: {"parcels": [*each]} for name, each in members.items()}
    path.write_text(yaml.safe_dump({"num_parcels": parcels, "structures": structures}))
    return path


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_makes_masks_that_are_judged(
    rule: str, runs: dict[str, Run], dataset: Dataset, tmp_path: Path
) -> None:
    run = runs[rule]
    segments = Segments.read(Segments.path(run.folder))
    assert (segments.rule, segments.num_parcels, segments.images) == (rule, PARCELS, 20)
    assert len(segments.looks) == {"votes": 1, "weights": 2}.get(rule, 0)
    assert run.card.is_finished
    scores = judged(run, dataset, tmp_path / "scores")
    assert scores.card.run["network"] == "frozen encoder"
    assert len(scores.table) == 24
    assert not scores.card.remarks
    assert dice(scores) == pytest.approx(run.card.best["val_dice"], abs=0.15)
    if rule == "paper":
        assert dice(scores) > 0.5
    if rule == "weights":
        assert min(dice(scores, name) for name in ("lv", "myo", "la")) > 0.75


def test_masks_of_a_listed_rule_are_yes_or_no_and_those_of_a_weighing_one_are_beliefs(
    runs: dict[str, Run],
) -> None:
    images = torch.rand(3, 1, 48, 40)
    for rule in RULES:
        beliefs = model_of(runs[rule]).beliefs(images)
        assert beliefs.shape == (3, 3, 48, 40)
        assert 0 <= beliefs.min() <= beliefs.max() <= 1
        assert (set(beliefs.flatten().tolist()) <= {0, 1}) == (rule in {"paper", "released"})


def test_a_run_leaves_pictures_pages_and_a_file_to_read(
    dataset: Dataset, parcelled: Run, runs: dict[str, Run], tmp_path: Path
) -> None:
    run = fitted(dataset, parcelled, tmp_path / "run")
    left = {path.name for path in run.folder.iterdir()}
    assert left >= {"segments.yaml", "labels.json", "finetuning.png", "index.html", "run.json", "config.yaml"}
    page = (run.folder / "index.html").read_text()
    assert "20 labelled images of 5 patients" in page
    assert "numbers decide what is what, by the rule &#39;weights&#39;" in page
    same = Segments.path(runs["weights"].folder).read_bytes()
    assert Segments.path(run.folder).read_bytes() == same
    scores = judged(run, dataset, tmp_path / "scores")
    assert '<span class="badge">synthetic</span>' in (scores.folder / "index.html").read_text()


@pytest.mark.usefixtures("without_pictures")
def test_the_same_command_gives_the_same_files_byte_for_byte(
    runs: dict[str, Run], dataset: Dataset, parcelled: Run, tmp_path: Path
) -> None:
    for rule in ("paper", "weights"):
        run = fitted(dataset, parcelled, tmp_path / rule, f"task.rule={rule}")
        for name in ("segments.yaml", "labels.json", "config.yaml"):
            assert (run.folder / name).read_bytes() == (runs[rule].folder / name).read_bytes()
        again, scores = (
            judged(each, dataset, tmp_path / f"{rule}-scores" / name)
            for name, each in {"again": run, "first": runs[rule]}.items()
        )
        for name in ("scores.parquet", "masks.parquet"):
            assert (again.folder / name).read_bytes() == (scores.folder / name).read_bytes()
    others = judged(run, dataset, tmp_path / "others")
    for path in again.folder.iterdir():
        assert (others.folder / path.name).read_bytes() == path.read_bytes(), path.name


class TestEditing:
    """Whoever edits the file changes the model, at once."""

    @pytest.mark.usefixtures("without_pictures")
    def test_a_list_of_parcels(self, runs: dict[str, Run], dataset: Dataset, tmp_path: Path) -> None:
        run = copied(runs["paper"], tmp_path / "run")
        before = judged(run, dataset, tmp_path / "before")
        edit(run, lambda values: values["structures"]["lv"].update(parcels=[]))
        after = judged(run, dataset, tmp_path / "after")
        assert dice(before) > 0.5
        assert dice(after) == 0
        assert dice(after, "la") == dice(before, "la")
        edit(run, lambda values: values["structures"]["lv"].update(parcels=[*range(PARCELS)]))
        mask = judged(run, dataset, tmp_path / "whole").found.row(0, named=True)
        assert runlength.decode(mask["runs"], mask["height"], mask["width"]).mean() > 0.85

    def test_weights(self, runs: dict[str, Run], tmp_path: Path) -> None:
        run, images = copied(runs["weights"], tmp_path / "run"), torch.rand(2, 1, 48, 40)
        assert (model_of(run).beliefs(images)[:, 0] > 0.5).float().mean() < 0.9
        edit(run, lambda values: values["looks"][1]["lv"].update(dict.fromkeys(range(PARCELS), 500)))
        assert (model_of(run).beliefs(images)[:, 0] > 0.5).all()

    def test_the_order_of_what_is_in_the_file_changes_nothing(
        self, runs: dict[str, Run], tmp_path: Path
    ) -> None:
        images = torch.rand(2, 1, 48, 40)
        for rule in RULES:
            run = copied(runs[rule], tmp_path / rule)
            edit(run, lambda values: values)  # in the order of the alphabet
            assert model_of(run).beliefs(images).equal(model_of(runs[rule]).beliefs(images))

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            (lambda values: values["structures"].pop("la"), r"say nothing of la"),
            (lambda values: values["structures"]["lv"].update(parcels=[PARCELS]), rf"has parcel {PARCELS}"),
            (lambda values: values.pop("num_parcels"), r"can't be read"),
        ],
    )
    def test_what_can_not_be_is_told_with_the_files_name(
        self,
        change: Callable[[dict[str, Any]], object],
        expected: str,
        runs: dict[str, Run],
        dataset: Dataset,
        tmp_path: Path,
    ) -> None:
        run = copied(runs["paper"], tmp_path / "run")
        edit(run, change)
        with pytest.raises(ApicalError, match=rf"segments\.yaml.*{expected}"):
            judged(run, dataset, tmp_path / "scores")
        assert not (tmp_path / "scores").exists()

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            (lambda values: values["looks"][1].pop("la"), "say nothing of la"),
            (lambda values: values["looks"][0].pop("background"), "say nothing of background"),
            (lambda values: values["looks"][1]["lv"].pop(3), "a look at lv lacks parcel 3"),
            (lambda values: values.update(rule="paper"), "weigh parcels by no rule"),
        ],
    )
    def test_so_is_what_is_lacking_in_weights(
        self, change: Callable[[dict[str, Any]], object], expected: str, runs: dict[str, Run], tmp_path: Path
    ) -> None:
        run = copied(runs["weights"], tmp_path / "run")
        edit(run, change)
        with pytest.raises(ApicalError, match=rf"segments\.yaml.*{expected}"):
            model_of(run)


@pytest.mark.usefixtures("without_pictures")
class TestNamed:
    """A person has named the parcels."""

    def test_no_label_is_looked_at(
        self,
        dataset: Dataset,
        parcelled: Run,
        runs: dict[str, Run],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        by_paper = Segments.read(Segments.path(runs["paper"].folder)).members
        path = named(tmp_path / "mine.yaml", by_paper)

        def never(*_: object, **__: object) -> None:
            raise AssertionError("labels are looked at")

        monkeypatch.setattr("apical.fitting.drawn_examples", never)
        run = fitted(dataset, parcelled, tmp_path / "run", f"task.segments={path}")
        labels = json.loads((run.folder / "labels.json").read_text())
        assert (labels["amount"], labels["patients"], labels["images"]) == ("none", [], [])
        assert run.card.data["labelled_images"] == 0
        segments = Segments.read(Segments.path(run.folder))
        assert (segments.rule, segments.members, segments.evidence) == (
            "named",
            by_paper,
            {name: {} for name in by_paper},
        )
        images = torch.rand(2, 1, 48, 40)
        assert model_of(run).beliefs(images).equal(model_of(runs["paper"]).beliefs(images))
        path.unlink()
        assert dice(judged(run, dataset, tmp_path / "scores")) == pytest.approx(
            dice(judged(runs["paper"], dataset, tmp_path / "others"))
        )

    def test_not_even_where_there_are_none(self, parcelled: Run, dataset: Dataset, tmp_path: Path) -> None:
        bare = hearts(tmp_path / "bare", structures=[], splits=["none"] * 3)
        path = named(tmp_path / "mine.yaml", {"la": [1], "lv": [5, 10]})
        run = fitted(bare, parcelled, tmp_path / "run", f"task.segments={path}")
        assert run.config["task"]["structures"] == ["lv", "la"]
        assert run.card.is_finished
        assert dice(judged(run, dataset, tmp_path / "scores")) > 0.3
        named(path, {"la": [1]})
        with pytest.raises(ApicalError, match=r"mine\.yaml: The left ventricle must be one"):
            fitted(bare, parcelled, tmp_path / "other", f"task.segments={path}")

    def test_files_of_another_number_of_parcels_or_of_too_few_structures_are_refused(
        self, dataset: Dataset, parcelled: Run, tmp_path: Path
    ) -> None:
        path = named(tmp_path / "mine.yaml", {"lv": [1], "myo": [], "la": [7]}, 8)
        with pytest.raises(ApicalError, match=f"of 8 parcels, but the encoder makes {PARCELS}"):
            fitted(dataset, parcelled, tmp_path / "run", f"task.segments={path}")
        named(path, {"lv": [1]})
        with pytest.raises(ApicalError, match=r"mine\.yaml: The segments say nothing of myo"):
            fitted(dataset, parcelled, tmp_path / "run", f"task.segments={path}")
        with pytest.raises(ApicalError, match=r"nowhere\.yaml.*missing"):
            fitted(dataset, parcelled, tmp_path / "run", "task.segments=nowhere.yaml")
        only = fitted(dataset, parcelled, tmp_path / "run", f"task.segments={path}", "task.structures=[lv]")
        assert only.card.is_finished


def test_an_encoder_of_other_parcels_is_refused_when_masks_are_made(
    runs: dict[str, Run], dataset: Dataset, tmp_path: Path
) -> None:
    run = copied(runs["paper"], tmp_path / "run")
    text = Segments.path(run.folder).read_text()
    Segments.path(run.folder).write_text(re.sub(rf"num_parcels: {PARCELS}", "num_parcels: 40", text))
    with pytest.raises(ApicalError, match=f"of 40 parcels, but the encoder makes {PARCELS}"):
        judged(run, dataset, tmp_path / "scores")
