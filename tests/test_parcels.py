"""What parcels are, as a user asks for it: before there are any, with them, and with masks made of them."""

from __future__ import annotations

import base64
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from typer.testing import CliRunner

from apical.cli import app
from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.parcels import Parcelled, parcels
from apical.pictures.parcels import painted_parcels
from apical.run import Run
from apical.segments import Segments
from tests.tasks.parcelled import PARCELS, ParcelRuns, copied, fitted, hearts


@pytest.fixture
def dataset(parcel_runs: ParcelRuns) -> Dataset:
    return parcel_runs.dataset


def looked_at(run: Run, dataset: Dataset, out: Path, split: str = "val") -> Parcelled:
    return parcels(run.folder, dataset.folder, out, split=split, device="cpu")


def pictures(found: Parcelled) -> list[str]:
    """The pictures of the page, all of which are there, in their order; every file that lines name is there too."""
    page = (found.folder / "index.html").read_text()
    embedded = [base64.b64decode(each) for each in re.findall(r"data:image/png;base64,([^\"]+)", page)]
    files = {path.read_bytes(): path.name for path in found.folder.glob("*.png")}
    assert set(embedded) == set(files)
    for picture in embedded:
        with Image.open(BytesIO(picture)) as image:
            assert min(image.size) > 100
            assert len(image.getcolors(1 << 24) or ()) > 20
    for named in re.findall(r"\S+\.(?:html|yaml|png|csv)", "\n".join(found.lines)):
        assert Path(named.removeprefix("task.segments=")).is_file(), named
    assert "Research use only" in page
    assert '<span class="badge">synthetic</span>' in page
    assert all(line.replace("'", "&#39;") in page for line in found.lines[1:-3])
    return [files[each] for each in embedded]


def test_before_there_are_parcels_shifts_are_suggested_that_training_takes(
    parcel_runs: ParcelRuns, dataset: Dataset, tmp_path: Path
) -> None:
    found = looked_at(parcel_runs.plain, dataset, tmp_path / "out")
    assert pictures(found) == ["correspondences.png"]
    command = next(line for line in found.lines if line.startswith("apical pretrain raptor"))
    assert f"--init {parcel_runs.plain.folder} --data {dataset.folder}" in command
    shifts = re.findall(r"method\.(self|clip|other)_shift=(-?\d\.\d\d)", command)
    assert [name for name, _ in shifts] == ["self", "clip", "other"]
    assert all(-1 < float(shift) < 1 for _, shift in shifts)


def test_levels_that_are_not_there_are_told(
    parcel_runs: ParcelRuns, dataset: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(ApicalError, match="pyramid has 1 maps"):
        parcels(parcel_runs.plain.folder, dataset.folder, tmp_path / "out", levels=[4], device="cpu")


def test_a_run_with_parcels_has_an_atlas_and_a_form_to_fill_in(
    parcel_runs: ParcelRuns, dataset: Dataset, tmp_path: Path
) -> None:
    found = looked_at(parcel_runs.parcelled, dataset, tmp_path / "out")
    assert pictures(found) == ["atlas.png", "clips.png"]
    table = pl.read_csv(tmp_path / "out" / "parcels.csv")
    assert table["parcel"].to_list() == [*range(PARCELS)]
    alive = int((table["presence"] > 0).sum())
    assert f"{alive} of {PARCELS} parcels occur in 4 images" in "\n".join(found.lines)
    assert float(table["area"].sum()) == pytest.approx(1, abs=1e-3)
    shares = table.select(pl.sum_horizontal(pl.col("^in_.*$"))).to_series().round(2).to_list()
    assert set(shares) <= {0.0, 1.0}
    form = Segments.read(tmp_path / "out" / "segments.yaml")
    assert (form.num_parcels, form.rule) == (PARCELS, "named")
    assert form.members == {"lv": (), "myo": (), "la": ()}


def test_a_form_that_was_filled_in_is_kept_and_can_be_taken(
    parcel_runs: ParcelRuns, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apical.finetune.report_fitting", lambda _run, _job: None)
    for name in ("draw_atlas", "draw_clip"):
        monkeypatch.setattr(f"apical.parcels.{name}", lambda _shown, path, _note: path.write_bytes(b""))
    form = Segments.path(tmp_path)
    looked_at(parcel_runs.parcelled, dataset, tmp_path)
    text = form.read_text().replace("parcels: []", "parcels: [2, 5]", 1)
    form.write_text(text)
    found = looked_at(parcel_runs.parcelled, dataset, tmp_path, split="all")
    assert form.read_text() == text
    assert any(f"task.segments={form}" in line for line in found.lines)
    run = fitted(dataset, parcel_runs.parcelled, tmp_path / "run", f"task.segments={form}")
    assert Segments.read(Segments.path(run.folder)).members["lv"] == (2, 5)


def test_a_run_with_masks_says_why_each_image_got_its_own(
    parcel_runs: ParcelRuns, dataset: Dataset, tmp_path: Path
) -> None:
    run = parcel_runs.by_rule["paper"]
    found = looked_at(run, dataset, tmp_path / "out", split="test")
    assert pictures(found) == ["why.png", "atlas.png", "clips.png"]
    assert not (tmp_path / "out" / "segments.yaml").exists()
    members = Segments.read(Segments.path(run.folder)).members
    for name, each in members.items():
        assert f"{name}: parcels {', '.join(map(str, each)) or 'none'}" in found.lines


def test_a_broken_file_of_segments_is_told(parcel_runs: ParcelRuns, dataset: Dataset, tmp_path: Path) -> None:
    run = copied(parcel_runs.by_rule["paper"], tmp_path / "run")
    Segments.path(run.folder).write_text("structures: []")
    with pytest.raises(ApicalError, match=r"segments\.yaml.*can't be read"):
        looked_at(run, dataset, tmp_path / "out")


@pytest.mark.parametrize("rule", [None, "votes"])
def test_without_any_trace_the_middle_frames_are_looked_at(
    rule: str | None, parcel_runs: ParcelRuns, tmp_path: Path
) -> None:
    bare = hearts(tmp_path / "bare", structures=[], splits=["none"] * 2)
    run = parcel_runs.by_rule[rule] if rule else parcel_runs.parcelled
    found = looked_at(run, bare, tmp_path / "out", split="none")
    assert pictures(found) == [*(["why.png"] if rule else []), "atlas.png", "clips.png"]
    assert pl.read_csv(tmp_path / "out" / "parcels.csv").columns == ["parcel", "presence", "area"]
    assert "occur in 4 images" in "\n".join(found.lines)
    assert not any("Purity" in line for line in found.lines)
    if rule is None:
        assert list(Segments.read(tmp_path / "out" / "segments.yaml").members) == ["lv", "myo", "la"]


def test_a_split_without_traces_is_not_all_background(parcel_runs: ParcelRuns, tmp_path: Path) -> None:
    untraced = [("p05", name) for name in ("lv", "myo", "la")]
    found = looked_at(parcel_runs.parcelled, hearts(tmp_path / "part", untraced=untraced), tmp_path / "out")
    assert not any("Purity" in line for line in found.lines)
    assert "in_background" not in pl.read_csv(tmp_path / "out" / "parcels.csv").columns


def test_clips_of_one_frame_are_shown(parcel_runs: ParcelRuns, tmp_path: Path) -> None:
    stills = hearts(tmp_path / "stills", num_frames=1, structures=[])
    found = looked_at(parcel_runs.parcelled, stills, tmp_path / "out")
    assert "100.0% of pixels keep theirs" in "\n".join(found.lines)
    assert pictures(found) == ["atlas.png", "clips.png"]


def test_a_split_that_is_empty_is_told(parcel_runs: ParcelRuns, dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ApicalError, match=r"No clip is in the split 'none'.*--split"):
        looked_at(parcel_runs.parcelled, dataset, tmp_path / "out", split="none")
    assert not (tmp_path / "out").exists()


def test_the_command_prints_the_same(parcel_runs: ParcelRuns, dataset: Dataset, tmp_path: Path) -> None:
    words = ["parcels", parcel_runs.plain.folder, "--data", dataset.folder, "--out", tmp_path / "out"]
    answer = CliRunner().invoke(app, [*map(str, words), "--level", "0", "--device", "cpu"])
    assert answer.exit_code == 0
    assert "method.self_shift=" in answer.output
    assert "'method.head.levels=[0]'" in answer.output
    assert answer.output.splitlines()[-1] == f"Look at {tmp_path / 'out' / 'index.html'}"


def test_painted_parcels_have_borders_and_leave_the_others_grey() -> None:
    pixels, maps = np.full((4, 6), 100, np.uint8), np.repeat([[0, 0, 0, 3, 3, 3]], 4, axis=0)
    every, some = painted_parcels(pixels, maps), painted_parcels(pixels, maps, {3})
    assert every.shape == (4, 6, 3)
    assert (every[:, 2] == 255).all()
    assert len(np.unique(every[:, [0, 1, 3, 4, 5]].reshape(-1, 3), axis=0)) == 2
    assert (some[:, :2] == 100).all()
    np.testing.assert_array_equal(some[:, 3:], every[:, 3:])
    assert (painted_parcels(pixels, maps, ())[:, [0, 1, 3, 4, 5]] == 100).all()
