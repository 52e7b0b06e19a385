from __future__ import annotations

import pytest

from apical.sources._names import ClipNames, safe_name


@pytest.mark.parametrize(
    "text", ["../../secret", "a/b\\c", "", ".hidden", "m\u00fcller\x00", "-rf", "x" * 400, "\udcff"]
)
def test_any_text_becomes_a_name_that_is_safe_for_files(text: str) -> None:
    name = safe_name(text)
    assert name
    assert len(name) <= 120
    assert not set(name) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert not name.startswith((".", "-"))


def test_long_names_stay_apart() -> None:
    assert safe_name("x" * 400 + "1") != safe_name("x" * 400 + "2")


def test_names_are_unique_even_where_case_does_not_count() -> None:
    names = ClipNames()
    assert [names.unique(text) for text in ("a", "A", "a", "b", "a-2")] == ["a", "A-2", "a-3", "b", "a-2-2"]
