"""Fitting as a user meets it: stopped anywhere it is done again, and it sees annotated frames alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from apical import runlength
from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.finetune import finetune
from apical.models import model_of
from apical.run import Run
from apical.segments import Segments
from tests.tasks.parcelled import RULES, TASK, ParcelRuns, fitted, hearts, judged


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


def contents(folder: Path) -> dict[Path, int]:
    """When its files were written, but for the lock."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.suffix}


class TestResuming:
    def test_a_finished_run_is_refused_and_with_resume_returned(
        self, runs: dict[str, Run], dataset: Dataset, parcelled: Run
    ) -> None:
        run = runs["paper"]
        before = contents(run.folder)
        with pytest.raises(ApicalError, match="finished run here already"):
            fitted(dataset, parcelled, run.folder, "task.rule=paper")
        assert finetune(TASK, run.folder, resume=True).card == run.card
        after = contents(run.folder)
        assert after == before

    @pytest.mark.usefixtures("without_pictures")
    @pytest.mark.parametrize("resume", [False, True])
    @pytest.mark.parametrize(
        "where",
        [
            "apical.fitting.LabelDraw.write",
            "apical.fitting.Fitting.fit",
            "apical.segments.Segments.write",
            "apical.fitting.write_tensors",
            "apical.fitting.Fitting.figures",
        ],
    )
    def test_one_that_was_stopped_half_way_is_done_again(
        self, where: str, resume: bool, runs: dict[str, Run], dataset: Dataset, parcelled: Run, tmp_path: Path
    ) -> None:
        def stop(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(where, stop)
            with pytest.raises(KeyboardInterrupt):
                fitted(dataset, parcelled, tmp_path / "run", "task.rule=released")
        assert not Run.open(tmp_path / "run").card.is_finished
        run = fitted(dataset, parcelled, tmp_path / "run", "task.rule=released", resume=resume)
        whole = runs["released"]
        assert run.card.best == whole.card.best
        for name in ("segments.yaml", "labels.json", "config.yaml"):
            assert (run.folder / name).read_bytes() == (whole.folder / name).read_bytes()


@pytest.mark.usefixtures("without_pictures")
class TestLabels:
    @pytest.mark.parametrize("rule", RULES)
    def test_one_labelled_image_is_enough_to_run(
        self, rule: str, dataset: Dataset, parcelled: Run, tmp_path: Path
    ) -> None:
        run = fitted(dataset, parcelled, tmp_path / "run", f"task.rule={rule}", "labels_by=image", labels="1")
        assert run.card.data["labelled_images"] == 1
        assert Segments.read(Segments.path(run.folder)).images == 1
        model = model_of(run)
        assert model.beliefs(torch.rand(1, 1, 48, 40)).isfinite().all()

    def test_no_frame_but_those_that_are_annotated_is_looked_at(
        self, dataset: Dataset, parcelled: Run, runs: dict[str, Run], tmp_path: Path
    ) -> None:
        """In another dataset the frames beside them are black."""
        dark = hearts(tmp_path / "dark")
        frames = np.fromfile(dark.folder / "frames.u8", np.uint8).reshape(-1, 4, 48, 40)
        frames[:, [1, 3]] = 0
        frames.tofile(dark.folder / "frames.u8")
        dark = Dataset.open(dark.folder)
        run = fitted(dark, parcelled, tmp_path / "run", "task.rule=weights")
        same = Segments.path(runs["weights"].folder).read_bytes()
        assert Segments.path(run.folder).read_bytes() == same
        here, there = (judged(run, each, tmp_path / each.folder.name) for each in (dataset, dark))
        assert here.table.equals(there.table)
        assert here.found.equals(there.found)
        assert set(here.table.select("frame").unique().to_series()) == {0, 2}

    def test_masks_are_those_of_the_frames_they_stand_beside(
        self, dataset: Dataset, runs: dict[str, Run], tmp_path: Path
    ) -> None:
        model = model_of(runs["weights"])
        scores = judged(runs["weights"], dataset, tmp_path / "scores")
        for row in scores.found.filter(pl.col("structure") == "lv").iter_rows(named=True):
            frame = dataset.clip_frames(row["clip"])[row["frame"]]
            beliefs = model.beliefs(torch.from_numpy(frame.copy())[None, None].float() / 255)
            small = (model.task.head.masks(beliefs)[0, 0]).numpy()  # type: ignore[attr-defined]
            mask = runlength.decode(row["runs"], row["height"], row["width"])
            assert mask.mean() == pytest.approx(small.mean(), abs=0.02)
