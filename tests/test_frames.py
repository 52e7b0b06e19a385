"""The frames asked for arrive, from wherever they are kept, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from torch.nn import functional

from apical import frames as frames_module
from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.frames import FrameStore, Where
from tests.sampling.tiny import tiny_dataset

PLACES = get_args(Where)
LENGTHS = [3, 1, 7, 4]


def some_frames(
    store: FrameStore, shape: tuple[int, int, int], seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Random clips (B, V) and frames (B, V, T) of theirs."""
    random = np.random.default_rng(seed)
    clips = random.integers(0, len(store.num_frames), shape[:2])
    return clips, random.integers(0, store.num_frames[clips][..., None], shape)


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("shape", [(5, 1, 1), (2, 2, 3), (0, 1, 1)])
def test_frames_are_those_of_the_dataset(tmp_path: Path, where: Where, shape: tuple[int, int, int]) -> None:
    dataset = tiny_dataset(tmp_path, LENGTHS)
    rows = dataset.usable_clips[[3, 0, 2]]
    store = FrameStore.open(dataset, rows, where)
    clips, frames = some_frames(store, shape)
    gathered = store.gather(clips, frames)
    assert gathered.shape == (*shape, 4, 5)
    assert gathered.dtype == torch.uint8
    for b, v, t in np.ndindex(*shape):
        expected = dataset.clip_frames(rows["clip"][int(clips[b, v])])[frames[b, v, t]]
        np.testing.assert_array_equal(gathered[b, v, t].numpy(), expected)


@pytest.mark.parametrize("where", PLACES)
def test_a_batch_is_not_overwritten_by_the_next(tmp_path: Path, where: Where) -> None:
    dataset = tiny_dataset(tmp_path, LENGTHS)
    store = FrameStore.open(dataset, dataset.usable_clips, where)
    first = store.gather(*some_frames(store, (4, 1, 2), seed=1))
    kept = first.clone()
    store.gather(*some_frames(store, (4, 1, 2), seed=2)).zero_()
    assert torch.equal(first, kept)


@pytest.mark.parametrize("where", PLACES)
def test_real_layouts_arrive_alike(phantom_dataset: Callable[..., Dataset], where: Where) -> None:
    dataset = phantom_dataset("echonet_dynamic")
    clips = dataset.usable_clips.filter(dataset.usable_clips["split"] == "train")
    store = FrameStore.open(dataset, clips, where)
    last = store.num_frames[:, None, None] - 1
    gathered = store.gather(np.arange(len(clips))[:, None], last)
    expected = np.stack([dataset.clip_frames(clip)[-1] for clip in clips["clip"]])
    np.testing.assert_array_equal(gathered[:, 0, 0].numpy(), expected)


def test_auto_reads_from_disk_on_the_cpu_and_where_the_device_is_too_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = tiny_dataset(tmp_path, LENGTHS)

    def staged() -> torch.dtype:
        store = FrameStore.open(dataset, dataset.usable_clips, "auto")
        return store.stage(*some_frames(store, (2, 1, 1))).dtype

    assert staged() == torch.uint8
    free = 2 * dataset.frames.size
    monkeypatch.setattr(frames_module, "_free_bytes", lambda _: free)
    assert staged() == torch.uint8
    free += 1
    assert staged() == torch.int64  # places: the pixels are on the device


def test_a_frame_that_a_clip_does_not_have_is_never_another_clips(tmp_path: Path) -> None:
    dataset = tiny_dataset(tmp_path, LENGTHS)
    store = FrameStore.open(dataset, dataset.usable_clips)
    for frame in (-1, 3):
        with pytest.raises(AssertionError):
            store.gather(np.array([[0]]), np.array([[[frame]]]))


def test_frames_of_two_sizes_are_refused_with_the_way_to_one(tmp_path: Path) -> None:
    dataset = tiny_dataset(tmp_path, [1, 1], width=5)
    wide = dataset.clips.with_columns(width=np.array([5, 6]))
    wide.write_parquet(tmp_path / "clips.parquet")
    dataset = Dataset(tmp_path, dataset.card)
    with pytest.raises(ApicalError, match=r"4 x 5, 4 x 6.*height=4 width=6"):
        FrameStore.open(dataset, dataset.usable_clips)


def test_a_file_that_was_cut_is_refused_before_it_is_read(tmp_path: Path) -> None:
    dataset = tiny_dataset(tmp_path, LENGTHS)
    with (tmp_path / "frames.u8").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(ApicalError, match="100 bytes instead of 300"):
        FrameStore.open(dataset, dataset.usable_clips)


def test_plain_images_are_whole_frames_in_the_size_of_a_view(tmp_path: Path) -> None:
    dataset = tiny_dataset(tmp_path, [2, 6], height=12, width=10)
    store = FrameStore.open(dataset, dataset.usable_clips)
    images = store.plain_images(np.array([1, 0]), np.array([5, 1]), 8)
    assert images.shape == (2, 1, 8, 8)
    frame = torch.from_numpy(dataset.clip_frames("c1")[5].astype(np.float32))[None, None] / 255
    torch.testing.assert_close(
        images[:1], functional.interpolate(frame, (8, 8), mode="bilinear", antialias=True)
    )
    clips = store.plain_images(np.array([1]), np.array([[5, 0, 3]]), 8)
    assert clips.shape == (1, 1, 3, 8, 8)
    torch.testing.assert_close(clips[:, :, 0], images[:1])


def test_an_image_that_has_the_size_of_a_view_is_left_as_it_is(tmp_path: Path) -> None:
    dataset = tiny_dataset(tmp_path, [2], height=8, width=8)
    store = FrameStore.open(dataset, dataset.usable_clips)
    image = store.plain_images(np.array([0]), np.array([1]), 8)[0, 0] * 255
    np.testing.assert_allclose(image.numpy(), dataset.clip_frames("c0")[1], atol=1e-4)
