from __future__ import annotations

import stat
from pathlib import Path

import pytest

from apical.errors import ApicalError
from apical.pseudonyms import Pseudonyms, load_or_create_key


def test_the_same_name_gives_the_same_pseudonym_under_the_same_key_only() -> None:
    one, other = Pseudonyms(b"a" * 32), Pseudonyms(b"b" * 32)
    assert one.of("Doe^Jane", "patient") == Pseudonyms(b"a" * 32).of("Doe^Jane", "patient")
    assert one.of("Doe^Jane", "patient") != other.of("Doe^Jane", "patient")
    assert one.of("Doe^Jane", "patient") != one.of("Doe^John", "patient")


def test_prefixes_part_names_that_are_equal() -> None:
    names = Pseudonyms(b"a" * 32)
    assert names.of("1", "patient").removeprefix("patient") != names.of("1", "study").removeprefix("study")


def test_a_pseudonym_is_short_and_safe_as_a_file_name() -> None:
    name = Pseudonyms(b"a" * 32).of("../Doe\udcff", "patient")
    assert len(name) <= 32
    assert name.replace("-", "").isalnum()


def test_a_key_is_drawn_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "private" / "key"
    key = load_or_create_key(path)
    assert load_or_create_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_key(tmp_path / "other") != key
    assert [file.name for file in path.parent.iterdir()] == ["key"]


def test_a_broken_key_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(ApicalError, match="no key"):
        load_or_create_key(tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == b"short"
