"""The page of a run needs nothing from outside, shows all it was given, and takes words as words."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from PIL import Image

from apical.errors import ApicalError
from apical.pictures.run_page import write_run_page


def page(folder: Path, **changes: object) -> str:
    Image.new("L", (3, 2), 7).save(folder / "picture.png")
    given: dict[str, object] = {
        "title": "simclr on EchoNet-Dynamic",
        "picture": folder / "picture.png",
        "picture_says": "Curves of training",
        "facts": [("Backbone", "resnet50 <from random>")],
        "figures": [("knn_phase", "0.947", "neighbours name the phase")],
        "notes": ["3 clips were left out & named"],
        "notice": "Research use only. Not a medical device.",
    }
    path = folder / "index.html"
    write_run_page(path, **{**given, **changes})  # type: ignore[arg-type]
    return path.read_text(encoding="utf-8")


def test_it_stands_alone(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", text)
    assert "url(" not in text
    assert "@media (prefers-color-scheme: dark)" in text
    embedded = re.findall(r"data:image/png;base64,([^\"]+)", text)
    assert [base64.b64decode(each) for each in embedded] == [(tmp_path / "picture.png").read_bytes()]


def test_it_says_all_it_was_given_as_words(tmp_path: Path) -> None:
    text = page(tmp_path)
    for part in (
        "simclr on EchoNet-Dynamic",
        "0.947",
        "knn phase",
        "neighbours name the phase",
        "Research use only",
    ):
        assert part in text
    assert "resnet50 &lt;from random&gt;" in text
    assert "left out &amp; named" in text


@pytest.mark.parametrize("is_synthetic", [True, False])
def test_synthetic_data_wear_a_badge(tmp_path: Path, is_synthetic: bool) -> None:
    assert (
        '<span class="badge">synthetic</span>' in page(tmp_path, is_synthetic=is_synthetic)
    ) is is_synthetic


def test_what_is_empty_has_no_heading(tmp_path: Path) -> None:
    text = page(tmp_path, facts=[], figures=[], notes=[])
    assert re.findall("<h2>(.*?)</h2>", text) == ["How it went"]
    assert "<ul>" not in text


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.html").mkdir()
    with pytest.raises(ApicalError, match=r"index\.html"):
        page(tmp_path)
