"""Settings are checked values; what is wrong is said with its key."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from apical.config import Config, read_config
from apical.errors import ApicalError


class Inner(Config):
    rate: float = 0.5


class Outer(Config):
    name: str = "a"
    size: int | None = None
    inner: Inner = Inner()


def test_overrides_reach_into_tables() -> None:
    config = read_config(Outer, overrides=["inner.rate=0.25", "size=3"])
    assert config == Outer(size=3, inner=Inner(rate=0.25))


def test_a_recipe_is_read_and_then_overridden(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("name: b\nsize: 4\n")
    assert read_config(Outer, recipe, ["size=5"]) == Outer(name="b", size=5)


def test_null_is_off() -> None:
    assert read_config(Outer, overrides=["size=null"]).size is None


@pytest.mark.parametrize("override", ["inner.rat=1", "siz=2"])
def test_an_unknown_key_is_refused_with_the_nearest(override: str) -> None:
    with pytest.raises(ApicalError, match=r"Did you mean '(rate|size)'"):
        read_config(Outer, overrides=[override])


def test_a_value_that_does_not_fit_names_its_key() -> None:
    with pytest.raises(ApicalError, match=r"inner\.rate"):
        read_config(Outer, overrides=["inner.rate=fast"])


@pytest.mark.parametrize("override", ["size", "=3", "name.first=x"])
def test_what_is_no_setting_is_refused(override: str) -> None:
    with pytest.raises(ApicalError):
        read_config(Outer, overrides=[override])


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2\n"])
def test_a_recipe_that_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(text)
    with pytest.raises(ApicalError, match=r"recipe\.yaml"):
        read_config(Outer, recipe)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(ApicalError, match=r"none\.yaml"):
        read_config(Outer, tmp_path / "none.yaml")


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        setattr(Outer(), "name", "c")  # noqa: B010
