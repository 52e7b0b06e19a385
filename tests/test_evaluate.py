"""Evaluation as a user meets it: every labelled image once, the same numbers every time, and clear mishaps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from torch import Tensor

from apical import runlength
from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.evaluate import evaluate
from apical.evaluation_report import report_lines
from apical.finetune import finetune
from apical.models import Model
from apical.run import Run
from apical.scores import Scores
from tests.tasks.painted import STRUCTURES, painted
from tests.test_finetune import TASK, TINY

LEARNS = ["epochs=4", "epoch_steps=10", "optimiser.lr=0.01", "fewest_samples=40", "average=null"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return painted(tmp_path_factory.mktemp("painted") / "dataset")


@pytest.fixture(scope="module")
def run(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "taught"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("apical.finetune.report_finetuning", lambda _run, _job: None)
        return finetune(TASK, out, data=dataset.folder, overrides=[*TINY, *LEARNS], labels="3")


@pytest.fixture(scope="module")
def scores(run: Run, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Scores:
    return evaluate(run.folder, dataset.folder, tmp_path_factory.mktemp("scores") / "test", device="cpu")


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are slow, and most tests look at none."""
    monkeypatch.setattr("apical.tasks._mask_task.draw_scores", lambda *_: {})


def judged(run: Run, dataset: Dataset, out: Path, **given: Any) -> Scores:
    return evaluate(run.folder, dataset.folder, out, device="cpu", **given)


def test_every_labelled_image_of_the_split_is_judged_once(scores: Scores, dataset: Dataset) -> None:
    test = dataset.usable_clips.filter(pl.col("split") == "test")["clip"].to_list()
    traced = dataset.traces.filter(pl.col("clip").is_in(test)).select("clip", "frame", "structure")
    assert sorted(scores.table.select("clip", "frame", "structure").rows()) == sorted(traced.rows())
    assert sorted(scores.found.select("clip", "frame", "structure").rows()) == sorted(traced.rows())
    assert (scores.card.data["images"], scores.card.data["patients"]) == (8, 2)


def test_the_same_command_gives_the_same_files_byte_for_byte(
    scores: Scores, run: Run, dataset: Dataset, tmp_path: Path
) -> None:
    again = judged(run, dataset, tmp_path / "again")
    files = {path.name for path in scores.folder.iterdir()}
    assert files == {path.name for path in again.folder.iterdir()}
    assert files >= {"scores.parquet", "masks.parquet", "summary.json", "index.html"}
    for name in files:
        assert (again.folder / name).read_bytes() == (scores.folder / name).read_bytes(), name


@pytest.mark.usefixtures("without_pictures")
def test_the_size_of_batches_changes_next_to_nothing(
    scores: Scores, run: Run, dataset: Dataset, tmp_path: Path
) -> None:
    other = judged(run, dataset, tmp_path / "other", batch_size=3)
    for name in scores.card.figures:
        np.testing.assert_allclose(other.table[name], scores.table[name], rtol=0.02, atol=0.02)


@pytest.mark.usefixtures("without_pictures")
def test_a_model_that_learnt_something_scores_better_than_one_that_did_not(
    scores: Scores, dataset: Dataset, tmp_path: Path
) -> None:
    fresh = finetune(TASK, tmp_path / "run", data=dataset.folder, overrides=[*TINY, "epochs=0"])
    untaught = judged(fresh, dataset, tmp_path / "scores")
    taught, before = (
        each.card.summary["structures"]["lv"]["all"]["dice"]["mean"] for each in (scores, untaught)
    )
    assert taught > 0.7
    assert before < taught - 0.2


def test_the_summary_says_what_was_judged_and_on_whose_terms(
    scores: Scores, run: Run, dataset: Dataset
) -> None:
    card = scores.card
    assert (card.task, card.cluster, card.keys) == (TASK, "patient", ("clip", "frame", "structure"))
    assert next(iter(card.figures)) == "dice"
    assert card.run["name"] == "taught"
    assert card.run["which"] == "best"
    assert card.run["step"] == run.card.steps
    assert (card.run["labels"], card.run["labelled_patients"]) == ("3", 3)
    assert card.data["content_sha256"] == dataset.card.content_sha256
    assert card.data["is_synthetic"]
    assert card.licences == ("data: none needed", "weights: none needed")
    assert list(card.summary["structures"]) == list(STRUCTURES)
    assert not card.remarks


def test_pictures_and_a_page_are_left(scores: Scores) -> None:
    for name in ("worst.png", "median.png", "best.png", "dice.png", "agreement.png"):
        with Image.open(scores.folder / name) as picture:
            assert min(picture.size) > 100
    page = (scores.folder / "index.html").read_text()
    assert page.count("data:image/png;base64,") == 5
    assert '<span class="badge">synthetic</span>' in page
    assert "Research use only" in page
    assert all(line in page for line in ("lv, all", "myo, ed", "la, es", "pooled Dice"))


def test_a_terminal_is_told_the_same(scores: Scores) -> None:
    told = "\n".join(report_lines(scores))
    assert "taught on Painted hearts (synthetic data), test: 8 images of 2 patients." in told
    dice = scores.card.summary["structures"]["lv"]["all"]["dice"]
    assert f"{dice['mean']:.4f} ({dice['sd']:.3f})" in told
    assert told.splitlines()[-1] == f"Look at {scores.folder / 'index.html'}"


def test_masks_that_were_found_are_kept_at_the_sources_size(scores: Scores, dataset: Dataset) -> None:
    row = scores.found.row(0, named=True)
    mask = runlength.decode(row["runs"], row["height"], row["width"])
    assert mask.shape == (80, 60)
    trace = dataset.traces.row(
        by_predicate=(pl.col("clip") == row["clip"])
        & (pl.col("frame") == row["frame"])
        & (pl.col("structure") == row["structure"]),
        named=True,
    )
    truth = dataset.trace_mask(trace, at_source_size=True)
    dice = 2 * (mask & truth).sum() / (mask.sum() + truth.sum())
    assert scores.table.row(0, named=True)["dice"] == pytest.approx(dice)


@pytest.mark.parametrize(
    ("split", "images", "remark"),
    [("train", 20, "trained on"), ("all", 32, "trained on")],
)
@pytest.mark.usefixtures("without_pictures")
def test_figures_that_flatter_are_remarked_on(
    split: str, images: int, remark: str, run: Run, dataset: Dataset, tmp_path: Path
) -> None:
    found = judged(run, dataset, tmp_path / "scores", split=split)
    assert found.card.data["images"] == images
    assert remark in " ".join(found.card.remarks)
    assert any(remark in line for line in report_lines(found))


@pytest.mark.usefixtures("without_pictures")
def test_other_data_are_not_remarked_on(run: Run, tmp_path: Path) -> None:
    other = painted(tmp_path / "other", splits=["train", "val"], spacing=None, source=(40, 32))
    assert not judged(run, other, tmp_path / "scores", split="all").card.remarks


def altered(run: Run, folder: Path, **card: Any) -> Run:
    """The same run with something else on its card."""
    folder.mkdir()
    (folder / "checkpoints").symlink_to(run.folder / "checkpoints")
    (folder / "config.yaml").write_text((run.folder / "config.yaml").read_text())
    written = json.loads((run.folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**written, **card}))
    return Run.open(folder)


@pytest.mark.usefixtures("without_pictures")
def test_a_run_that_is_not_finished_is_remarked_on(run: Run, dataset: Dataset, tmp_path: Path) -> None:
    unfinished = altered(run, tmp_path / "run", is_finished=False)
    scores = judged(unfinished, dataset, tmp_path / "scores", which="last")
    assert scores.card.remarks == ("The run is not finished",)


@pytest.mark.usefixtures("without_pictures")
def test_a_checkpoint_chosen_on_the_split_is_remarked_on(run: Run, dataset: Dataset, tmp_path: Path) -> None:
    assert not judged(run, dataset, tmp_path / "last", split="val").card.remarks
    chosen = altered(run, tmp_path / "run")
    settings = chosen.folder / "config.yaml"
    settings.write_text(settings.read_text().replace("score: last", "score: val_dice"))
    remarks = judged(Run.open(chosen.folder), dataset, tmp_path / "scores", split="val").card.remarks
    assert "a little too good" in " ".join(remarks)


@pytest.mark.usefixtures("without_pictures")
def test_images_that_were_prepared_otherwise_are_remarked_on(
    run: Run, dataset: Dataset, tmp_path: Path
) -> None:
    other = {**run.card.data, "preprocessing": {**dataset.card.preprocessing, "fit": "another"}}
    remarks = judged(altered(run, tmp_path / "run", data=other), dataset, tmp_path / "scores").card.remarks
    assert remarks == ("These images were prepared otherwise than those learnt from: fit",)


def test_where_nothing_is_found_all_is_written_and_drawn_all_the_same(
    run: Run, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(self: Model, images: Tensor) -> Tensor:
        return torch.zeros(len(images), len(STRUCTURES), *self.size)

    monkeypatch.setattr(Model, "beliefs", nothing)
    scores = judged(run, dataset, tmp_path / "scores")
    lv = scores.card.summary["structures"]["lv"]["all"]
    assert (lv["dice"]["mean"], lv["dice"]["images"], lv["found_nothing"]) == (0, 8, 8)
    assert (
        lv["hd95"]["images"],
        Scores.open(scores.folder).card.summary["structures"]["lv"]["all"]["hd95"]["mean"],
    ) == (0, None)
    assert (scores.folder / "worst.png").is_file()
    assert not (scores.folder / "agreement.png").exists()
    assert "None" not in "\n".join(report_lines(Scores.open(scores.folder)))


class TestMishaps:
    """Each is one message that says what to do, and writes nothing."""

    def test_a_split_without_labels(self, run: Run, tmp_path: Path) -> None:
        untraced = [(patient, name) for patient in ("p06", "p07") for name in STRUCTURES]
        bare = painted(tmp_path / "dataset", untraced=untraced)
        with pytest.raises(ApicalError, match=r"split 'test' has labels.*10 clips in train.*--split"):
            judged(run, bare, tmp_path / "scores")
        assert not (tmp_path / "scores").exists()

    def test_a_split_that_is_empty(self, run: Run, dataset: Dataset, tmp_path: Path) -> None:
        with pytest.raises(ApicalError, match="split 'none' has labels"):
            judged(run, dataset, tmp_path / "scores", split="none")

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"split": "tset"}, "Did you mean 'test'"),
            ({"which": "bset"}, "Did you mean 'best'"),
            ({"device": "cuad"}, "no cuad device"),
            ({"device": "cuda"}, "no cuda device"),
        ],
    )
    def test_a_word_that_means_nothing_here(
        self, given: dict[str, str], expected: str, run: Run, dataset: Dataset, tmp_path: Path
    ) -> None:
        if given == {"device": "cuda"} and torch.cuda.is_available():
            pytest.skip("there is one")
        with pytest.raises(ApicalError, match=expected):
            evaluate(run.folder, dataset.folder, tmp_path / "scores", **{"device": "cpu", **given})  # type: ignore[arg-type]
        assert not (tmp_path / "scores").exists()

    def test_no_run(self, dataset: Dataset, tmp_path: Path) -> None:
        with pytest.raises(ApicalError, match=r"no run: it has no run\.json"):
            evaluate(tmp_path, dataset.folder, tmp_path / "scores")

    def test_weights_of_another_network(self, run: Run, dataset: Dataset, tmp_path: Path) -> None:
        mixed = tmp_path / "run"
        mixed.mkdir()
        for name in ("run.json", "checkpoints"):
            (mixed / name).symlink_to(run.folder / name)
        config = (run.folder / "config.yaml").read_text()
        (mixed / "config.yaml").write_text(config.replace("width: 4", "width: 8"))
        with pytest.raises(ApicalError, match="do not fit its own settings"):
            judged(Run.open(mixed), dataset, tmp_path / "scores")
