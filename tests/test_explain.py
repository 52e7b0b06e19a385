"""Explanations as a user asks for them: of telling studies, of named ones, and what is said where there are none."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import av
import numpy as np
import polars as pl
import pytest
from PIL import Image
from typer.testing import CliRunner

from apical.cli import app
from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.explain import Explaining, explain
from apical.finetune import finetune
from apical.run import Run
from tests.tasks.painted import painted
from tests.tasks.parcelled import ParcelRuns

TINY = [
    "task.label=ef_percent<50",
    "backbone=unet_encoder",
    "backbone.width=4",
    "size=32",
    "epochs=2",
    "epoch_steps=4",
    "batch_size=4",
    "fewest_samples=16",
    "precision=32",
    "device=cpu",
    "optimiser.lr=0.003",
    "task.frames=3",
    "task.looks=2",
    "score=last",
    "average=null",
]
SPLITS = ("train",) * 4 + ("val",) * 2 + ("test",) * 5


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Hearts of every second patient are weak; of one patient it is not known."""
    made = painted(tmp_path_factory.mktemp("painted") / "dataset", splits=SPLITS, num_frames=5)
    number = pl.col("patient").str.slice(1).cast(pl.Int64)
    fraction = pl.when(number < 10).then(60.0 - 20 * (number % 2))
    made.clips.with_columns(ef_percent=fraction).write_parquet(made.folder / "clips.parquet")
    return Dataset.open(made.folder)


@pytest.fixture(scope="module")
def run(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return finetune(
        "diagnosis", tmp_path_factory.mktemp("runs") / "weak", data=dataset.folder, overrides=TINY
    )


@pytest.fixture(scope="module", params=["gradcam", "occlusion"])
def found(
    request: pytest.FixtureRequest, run: Run, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Explaining:
    out = tmp_path_factory.mktemp("explained") / "out"
    settings = ["way.blocks=3"] if request.param == "occlusion" else []
    return explain(
        run.folder, dataset.folder, out, way=request.param, number=3, device="cpu", overrides=settings
    )


def table_of(found: Explaining) -> pl.DataFrame:
    return pl.read_csv(found.folder / "explanations.csv")


def test_there_is_a_row_a_study_with_its_answer_and_its_truth(found: Explaining, dataset: Dataset) -> None:
    table = table_of(found)
    truths = {f"p{number:02}s": "yes" if number % 2 else "no" for number in range(6, 10)}
    assert len(table) == 3
    assert table["truth"].to_list() == [truths[study] for study in table["study"]]
    assert table["study"].is_unique().all()
    assert set(table["answer"]) <= {"yes", "no"}
    clips = dict(dataset.clips.select("clip", "study").iter_rows())
    assert [clips[clip] for clip in table["clip"]] == table["study"].to_list()
    after = table["most_important_frame"] - table["first_frame"]
    assert set(after) <= {0, 1, 2}
    for row in table.iter_rows(named=True):
        is_right = row["answer"] == row["truth"]
        assert row["chosen_as"] == "least sure" or (row["chosen_as"] == "surest right") == is_right
        assert row["sector_share"] in (None, 1.0)
        assert row["sector_area"] == 1.0
        assert all(row[f"in_{name}"] is None or 0 <= row[f"in_{name}"] <= 1 for name in ("lv", "myo", "la"))


def test_both_checks_stand_in_table_page_and_terminal(found: Explaining) -> None:
    table, page, lines = table_of(found), (found.folder / "index.html").read_text(), "\n".join(found.lines)
    alike = float(table["correlation_all_shuffled"][0])
    assert re.search(r"The maps (hardly )?depend on what was learnt", lines)
    assert ("hardly depend on what was learnt: do not" in lines) == (alike > 0.5)
    assert f"correlation with these is {alike:.2f}" in lines
    salient, random = (float(table[f"fall_{what}_faded"].median()) for what in ("salient", "random"))  # type: ignore[arg-type]
    assert ("counts more: fading" in lines) == (salient > max(random, 0))
    for line in found.lines[1:-3]:
        assert line.removeprefix("Note: ").removesuffix(".").replace("'", "&#39;") in page


def test_videos_play_beside_the_page_and_inside_it(found: Explaining) -> None:
    page = (found.folder / "index.html").read_text()
    videos = sorted(found.folder.glob("study-*"))
    assert len(videos) == page.count("data:video/mp4;base64,") == 3
    assert "Research use only" in page
    assert '<span class="badge">synthetic</span>' in page
    for video in videos:
        with av.open(str(video)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert len(frames) == 3
        assert np.abs(np.diff(np.stack(frames).astype(int), axis=0)).max() > 50  # the cursor moves
    with Image.open(found.folder / "frames.png") as sheet:
        assert min(sheet.size) > 300


def test_a_coarse_map_is_remarked_on(found: Explaining) -> None:
    assert ("2 × 2 places apart" in "\n".join(found.lines)) == ("by gradcam" in found.lines[0])


def test_a_study_may_be_named_and_the_command_prints_the_same(
    run: Run, dataset: Dataset, tmp_path: Path
) -> None:
    words = ["explain", run.folder, "--data", dataset.folder, "--out", tmp_path / "out", "--study", "p07s"]
    answer = CliRunner().invoke(app, [*map(str, words), "--study", "p06s", "--device", "cpu"])
    assert answer.exit_code == 0, answer.output
    table = pl.read_csv(tmp_path / "out" / "explanations.csv")
    assert table["study"].to_list() == ["p07s", "p06s"]
    assert set(table["chosen_as"]) == {"named"}
    assert answer.output.splitlines()[-1] == f"Look at {tmp_path / 'out' / 'index.html'}"


def test_an_unknown_study_names_the_nearest(run: Run, dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ApicalError, match=r"no study 'p7s'.*Did you mean 'p07s'"):
        explain(run.folder, dataset.folder, tmp_path / "out", study=["p7s"], device="cpu")
    assert not (tmp_path / "out").exists()


def test_a_study_without_an_answer_is_told(run: Run, dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ApicalError, match="no study 'p10s' with an answer"):
        explain(run.folder, dataset.folder, tmp_path / "out", study=["p10s"], device="cpu")


def test_a_split_without_studies_or_labels_is_told(run: Run, dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ApicalError, match=r"No clip is in the split 'none'.*--split"):
        explain(run.folder, dataset.folder, tmp_path / "out", split="none", device="cpu")
    bare = tmp_path / "bare"
    shutil.copytree(dataset.folder, bare)
    unknown = pl.when(pl.col("split") != "test").then(pl.col("ef_percent"))
    dataset.clips.with_columns(ef_percent=unknown).write_parquet(bare / "clips.parquet")
    with pytest.raises(ApicalError, match=r"No study here has an answer to 'ef_percent<50'.*--split"):
        explain(run.folder, bare, tmp_path / "out", device="cpu")


def test_runs_of_other_kinds_say_what_to_do(parcel_runs: ParcelRuns, tmp_path: Path) -> None:
    where = parcel_runs.dataset.folder
    with pytest.raises(ApicalError, match="apical finetune TASK --init"):
        explain(parcel_runs.plain.folder, where, tmp_path / "out", device="cpu")
    with pytest.raises(ApicalError, match=r"run of parcel_segmentation.*finetune diagnosis.*apical parcels"):
        explain(parcel_runs.by_rule["paper"].folder, where, tmp_path / "out", device="cpu")


def test_an_unknown_way_or_setting_names_those_there_are(run: Run, dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ApicalError, match="Did you mean 'occlusion'"):
        explain(run.folder, dataset.folder, tmp_path / "out", way="oclusion", device="cpu")
    with pytest.raises(ApicalError, match=r"no setting 'way\.block'.*Did you mean 'blocks'"):
        explain(
            run.folder, dataset.folder, tmp_path, way="occlusion", device="cpu", overrides=["way.block=3"]
        )
