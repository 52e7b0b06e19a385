"""The atlas of parcels against counts by hand, and correspondences against all pairs of tokens."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch
from torch.nn import functional

from apical.atlas import Atlas, ClipMap, atlas_of, clip_map
from apical.correspondences import Correspondences, correspondences_of
from apical.encoders import encoder_of
from apical.sight import Sight, sight_of
from apical.tasks._mask_answers import traced_images
from tests.tasks.parcelled import PARCELS, STORED, ParcelRuns


@pytest.fixture
def sight(parcel_runs: ParcelRuns) -> Sight:
    return sight_of(parcel_runs.parcelled, parcels=True)


def filled() -> Atlas:
    """Of two images of 2 × 3 pixels and five parcels, one of them with masks."""
    atlas = Atlas.empty(("lv", "la"), 5, (2, 3))
    masks = np.array([[[1, 1, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 1]]], bool)
    atlas.add(np.full((2, 3), 0.5), np.array([[0, 0, 1], [1, 1, 3]]), masks)
    atlas.add(np.full((2, 3), 0.1), np.array([[0, 1, 1], [1, 1, 1]]), None)
    return atlas


def test_an_atlas_counts_what_a_hand_counts() -> None:
    atlas = filled()
    assert (atlas.images, atlas.with_masks) == (2, 1)
    assert atlas.present.tolist() == [2, 2, 0, 1, 0]
    assert atlas.areas.tolist() == [3, 8, 0, 1, 0]
    assert atlas.positions[1].tolist() == [[0, 1, 2], [2, 2, 1]]
    np.testing.assert_allclose(atlas.pictures[0], 0.6)
    np.testing.assert_allclose(atlas.pictures[3], 0.5)
    assert atlas.overlaps.tolist() == [[0, 3, 0, 0, 0], [2, 0, 0, 0, 0], [0, 0, 0, 1, 0]]
    assert atlas.shares[:, 2].tolist() == [0, 0, 0]
    assert atlas.purity == 1
    assert atlas.order == [0, 3, 1]


def test_a_table_has_a_row_for_each_parcel() -> None:
    table = filled().table()
    assert table["parcel"].to_list() == [0, 1, 2, 3, 4]
    assert table["presence"].to_list() == [1, 1, 0, 0.5, 0]
    assert table["area"].to_list() == pytest.approx([3 / 12, 8 / 12, 0, 1 / 12, 0])
    assert table["in_background"].to_list() == [0, 1, 0, 0, 0]
    bare = Atlas.empty((), 2, (1, 1))
    assert bare.table().columns == ["parcel", "presence", "area"]
    assert bare.purity is None
    assert bare.order == []


def test_an_atlas_of_a_dataset_is_that_of_its_images_one_by_one(
    parcel_runs: ParcelRuns, sight: Sight
) -> None:
    dataset = parcel_runs.dataset
    clips = dataset.usable_clips[:10]
    images = traced_images(dataset, clips, ["lv", "la"])
    assert len(images) == 20
    found = atlas_of(sight, dataset, clips, images, ["lv", "la"], STORED, "32")
    expected = Atlas.empty(["lv", "la"], PARCELS, STORED)
    traces = dataset.traces
    for row in images.iter_rows(named=True):
        image = dataset.clip_frames(row["clip"])[row["frame"]].astype(np.float32) / 255
        parcels = sight(torch.from_numpy(image)[None, None])[0].argmax(dim=0).numpy()
        own = traces.filter((pl.col("clip") == row["clip"]) & (pl.col("frame") == row["frame"]))
        masks = {trace["structure"]: dataset.trace_mask(trace) for trace in own.iter_rows(named=True)}
        expected.add(image.astype(np.float64), parcels, np.stack([masks["lv"], masks["la"]]))
    np.testing.assert_allclose(found.areas, expected.areas, atol=5)
    np.testing.assert_allclose(found.overlaps, expected.overlaps, atol=5)
    np.testing.assert_allclose(found.present, expected.present)
    assert found.purity == pytest.approx(expected.purity, abs=1e-3)


def test_stability_is_the_share_of_pixels_that_keep_their_parcel() -> None:
    parcels = np.array([[[0, 0], [1, 1]], [[0, 1], [1, 1]], [[0, 1], [0, 0]]])
    clip = ClipMap("c", (0, 1, 2), np.zeros((3, 2, 2), np.uint8), parcels)
    assert clip.stability == (3 + 2) / 8
    assert ClipMap("c", (0,), np.zeros((1, 2, 2), np.uint8), parcels[:1]).stability == 1


def test_the_first_frames_of_a_clip_are_mapped(parcel_runs: ParcelRuns, sight: Sight) -> None:
    dataset = parcel_runs.dataset
    about = dataset.usable_clips.row(3, named=True)
    for count, frames in ((2, (0, 1)), (9, (0, 1, 2, 3))):
        found = clip_map(sight, dataset, about, count, STORED)
        assert (found.clip, found.frames) == (about["clip"], frames)
        assert found.parcels.shape == found.pixels.shape == (len(frames), *STORED)
        np.testing.assert_array_equal(found.pixels, dataset.clip_frames(about["clip"])[: len(frames)])


def test_one_pair_in_as_many_as_there_are_parcels_exceeds_the_shift() -> None:
    random = np.random.default_rng(0)
    values = {"self": random.normal(size=9999).astype(np.float32), "other": np.zeros(7, np.float32)}
    for parcels in (2, 32, 100):
        shifts = Correspondences(values).shifts(parcels)
        assert (values["self"] > shifts["self"]).mean() == pytest.approx(1 / parcels, abs=2e-4)
        assert shifts["other"] == 0


def test_correspondences_are_those_of_all_pairs(parcel_runs: ParcelRuns) -> None:
    dataset, encoder = parcel_runs.dataset, encoder_of(parcel_runs.plain)
    clips = dataset.usable_clips[:3]
    found = correspondences_of(encoder, dataset, clips, STORED, precision="32")

    def tokens(clip: str, frame: int) -> torch.Tensor:
        image = dataset.clip_frames(clip)[frame].astype(np.float32) / 255
        return functional.normalize(encoder(torch.from_numpy(image)[None, None]).map[0].flatten(1).T, dim=1)

    names, pairs = clips["clip"].to_list(), []
    for place, name in enumerate(names):
        one = tokens(name, 0)
        for kind, other in {
            "self": one,
            "clip": tokens(name, 3),
            "other": tokens(names[place - 1], 0),
        }.items():
            alike = one @ other.T
            pairs.append((kind, (alike - alike.mean(dim=1, keepdim=True)).detach().flatten().numpy()))
    for kind, values in found.pairs.items():
        expected = np.sort(np.concatenate([each for name, each in pairs if name == kind]))
        np.testing.assert_allclose(np.sort(values), expected, atol=1e-5)


def test_one_clip_alone_is_its_own_other(parcel_runs: ParcelRuns) -> None:
    clips = parcel_runs.dataset.usable_clips[:1]
    found = correspondences_of(encoder_of(parcel_runs.plain), parcel_runs.dataset, clips, STORED)
    np.testing.assert_array_equal(found.pairs["self"], found.pairs["other"])
