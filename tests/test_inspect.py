"""Inspect counts what is there, draws it, and its page needs nothing from outside."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from apical.dataset import Dataset
from apical.ingest import ingest
from apical.inspect import inspect, report_lines, summary_lines


@pytest.fixture(scope="module")
def dataset(phantom_folder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    out = tmp_path_factory.mktemp("inspect") / "dataset"
    return ingest("echonet_dynamic", phantom_folder("echonet_dynamic"), out, ["processes=1"])


def test_the_counts_add_up(dataset: Dataset, tmp_path: Path) -> None:
    table = inspect(dataset.folder, tmp_path).by_view_and_split
    assert table["clips"].sum() == len(dataset.usable_clips)
    assert table["frames"].sum() == dataset.card.counts["frames"]
    assert table["traced frames"].sum() == dataset.card.counts["traced_frames"]


def test_the_montage_shows_every_clip_of_a_small_set(dataset: Dataset, tmp_path: Path) -> None:
    inspect(dataset.folder, tmp_path)
    with Image.open(tmp_path / "montage.png") as picture:
        colours = picture.convert("RGB").getcolors(2**24)
        assert picture.width == 5 * 224
    assert colours is not None
    assert (255, 210, 60) in {colour for _, colour in colours}


def test_the_page_stands_alone_and_says_what_it_is(dataset: Dataset, tmp_path: Path) -> None:
    page = inspect(dataset.folder, tmp_path).page.read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", page)
    assert "Research use only" in page
    assert "synthetic" in page
    assert dataset.card.licence in page


def test_the_terminal_hears_licence_and_notice(dataset: Dataset, tmp_path: Path) -> None:
    lines = report_lines(inspect(dataset.folder, tmp_path))
    assert lines[: len(summary_lines(dataset))] == summary_lines(dataset)
    assert any(line.startswith("Licence:") for line in lines)
    assert "Research use only. Not a medical device." in lines
