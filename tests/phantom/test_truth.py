from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from apical import registry, runlength
from apical.measures.discs import discs_of_mask, ejection_fraction_percent, single_plane_ml
from apical.phantom.layouts.echonet_dynamic import EchonetDynamic
from apical.phantom.layouts.echonet_pediatric import EchonetPediatric
from apical.phantom.write import render_plan
from apical.pixels.contour import polygon_from_chords, rasterise

LAYOUTS = registry.names("phantom.layouts")
Folder = Callable[..., Path]
Mask = npt.NDArray[np.bool_]


def dice(one: Mask, other: Mask) -> float:
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


def truth(folder: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(folder / "phantom_truth" / f"{name}.parquet")


def true_mask(masks: pl.DataFrame, path: str, frame: int, structure: str = "lv") -> Mask:
    chosen = (pl.col("path") == path) & (pl.col("frame") == frame) & (pl.col("structure") == structure)
    row = masks.row(by_predicate=chosen, named=True)
    return runlength.decode(row["runs"], row["height"], row["width"])


def traced(folder: Path, path: str, frame: int, clip: dict[str, int]) -> Mask:
    table = pl.read_csv(folder / "VolumeTracings.csv")
    rows = table.filter((pl.col("FileName") == Path(path).name) & (pl.col("Frame") == frame))
    chords = rows.select("X1", "Y1", "X2", "Y2").rows()[1:]
    return rasterise(polygon_from_chords(chords), clip["height"], clip["width"])


def test_chords_rasterised_by_the_sets_own_rule_are_the_true_masks(phantom_folder: Folder) -> None:
    folder = phantom_folder("echonet_dynamic")
    masks = truth(folder, "masks")
    overlaps = [
        dice(traced(folder, clip["path"], frame, clip), true_mask(masks, clip["path"], frame))
        for clip in truth(folder, "clips").iter_rows(named=True)
        for frame in clip["traced_frames"]
    ]
    assert len(overlaps) == 16
    assert np.mean(overlaps) >= 0.98
    assert min(overlaps) >= 0.96


def test_discs_of_the_trace_give_back_the_drawn_ejection_fraction(phantom_folder: Folder) -> None:
    folder, errors = phantom_folder("echonet_dynamic"), []
    for clip in truth(folder, "clips").iter_rows(named=True):
        volumes = {}
        for phase in ("ed", "es"):
            discs = discs_of_mask(traced(folder, clip["path"], clip[f"{phase}_frame"], clip))
            assert discs
            volumes[phase] = single_plane_ml(discs)
        errors.append(ejection_fraction_percent(volumes["ed"], volumes["es"]) - clip["ef_percent"])
    assert np.abs(errors).mean() <= 1


def test_chords_measured_with_a_ruler_give_back_the_drawn_ejection_fraction() -> None:
    layout = EchonetDynamic()
    for plan in layout.plans(4, 11):
        rendering = render_plan(layout, plan, 11)
        volumes = {}
        for phase, frame in rendering.phases:
            lines = [row for row in layout.traces(rendering) if row["Frame"] == frame]
            axis, *chords = (np.hypot(row["X2"] - row["X1"], row["Y2"] - row["Y1"]) for row in lines)
            volumes[phase] = axis * float(np.sum(np.square(chords)))
        measured = ejection_fraction_percent(volumes["ed"], volumes["es"])
        assert measured == pytest.approx(rendering.patient.ef_percent, abs=1)


def test_contour_points_of_both_echo_views_are_the_true_masks() -> None:
    layout, overlaps = EchonetPediatric(), []
    for plan in layout.plans(4, 5):
        rendering = render_plan(layout, plan, 5)
        rows = layout.traces(rendering)
        for frame in layout.traced_frames(rendering):
            points = [(row["X"], row["Y"]) for row in rows if row["Frame"] == frame]
            overlaps.append(dice(rasterise(points, 112, 112), rendering.clip.masks(frame)["lv"]))
    assert np.mean(overlaps) >= 0.98


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_clip_of_every_layout_has_truth(layout: str, phantom_folder: Folder) -> None:
    folder = phantom_folder(layout, patients=2)
    clips, masks = truth(folder, "clips"), truth(folder, "masks")
    assert clips["path"].is_unique().all()
    assert all((folder / path).is_file() for path in clips["path"])
    assert set(masks["path"]) == set(clips["path"])
    ejected_percent = 100 * (1 - clips["esv_ml"] / clips["edv_ml"])
    np.testing.assert_allclose(ejected_percent.to_numpy(), clips["ef_percent"].to_numpy())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_masks_cover_all_traced_frames_and_the_fan(layout: str, phantom_folder: Folder) -> None:
    folder = phantom_folder(layout, patients=2)
    masks = truth(folder, "masks")
    for clip in truth(folder, "clips").iter_rows(named=True):
        ours = masks.filter(pl.col("path") == clip["path"])
        assert set(clip["traced_frames"]) <= set(ours["frame"])
        sector = ours.row(by_predicate=pl.col("structure") == "sector", named=True)
        rows, columns = np.nonzero(runlength.decode(sector["runs"], sector["height"], sector["width"]))
        assert (rows.min(), rows.max() + 1) == (clip["fan_top"], clip["fan_bottom"])
        assert (columns.min(), columns.max() + 1) == (clip["fan_left"], clip["fan_right"])


def test_the_ventricle_is_larger_in_diastole(phantom_folder: Folder) -> None:
    folder = phantom_folder("camus", patients=2)
    masks = truth(folder, "masks")
    for clip in truth(folder, "clips").iter_rows(named=True):
        diastole, systole = (true_mask(masks, clip["path"], clip[f"{phase}_frame"]) for phase in ("ed", "es"))
        assert diastole.sum() > systole.sum()
