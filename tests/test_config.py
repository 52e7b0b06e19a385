"""Settings are checked values; what is wrong is said with its key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from apical.config import Config, PieceConfig, dump_config, piece, pieces, read_config
from apical.errors import ApicalError
from apical.optimisers.adam import AdamConfig
from apical.optimisers.sgd import SgdConfig


class Inner(Config):
    rate: float = 0.5
    other: int = 0


class Outer(Config):
    name: str = "a"
    size: int | None = None
    inner: Inner = Inner()


class Group(Config):
    size: int | None = None
    steps: Annotated[dict[str, PieceConfig], *pieces("optimisers")] = Field(default_factory=dict)


class Training(Config):
    """As stages have it: one piece, several pieces, and several pieces in each of several tables."""

    optimiser: Annotated[PieceConfig, *piece("optimisers")] = AdamConfig(lr=0.25)
    steps: Annotated[dict[str, PieceConfig], *pieces("optimisers")] = Field(default_factory=dict)
    groups: dict[str, Group] = Field(default_factory=dict)
    spare: Group | None = None
    inner: Inner = Inner(rate=0.25, other=7)


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


@pytest.mark.parametrize("given", ["sgd", {"name": "sgd"}, SgdConfig()])
def test_a_piece_is_given_as_a_name_a_table_or_settings(given: Any) -> None:
    assert read_config(Training, optimiser=given).optimiser == SgdConfig()


def test_a_pieces_own_settings_are_checked_by_the_piece() -> None:
    config = read_config(Training, overrides=["optimiser=sgd", "optimiser.momentum=0.5"])
    assert config.optimiser == SgdConfig(momentum=0.5)


def test_an_override_of_a_default_leaves_the_rest_of_it() -> None:
    config = read_config(Training, overrides=["inner.rate=0.75", "optimiser.beta1=0.5"])
    assert config.inner == Inner(rate=0.75, other=7)
    assert config.optimiser == AdamConfig(lr=0.25, beta1=0.5)


def test_pieces_keep_their_order_and_null_leaves_one_out() -> None:
    config = read_config(Training, steps={"sgd": {"lr": 0.5}, "lars": None, "adam": {}})
    assert config.steps == {"sgd": SgdConfig(lr=0.5), "adam": AdamConfig()}
    assert list(config.steps) == ["sgd", "adam"]


def test_an_override_puts_back_what_was_left_out() -> None:
    config = read_config(Training, overrides=["steps.sgd.lr=0.5"], steps={"sgd": None})
    assert config.steps == {"sgd": SgdConfig(lr=0.5)}


@pytest.mark.parametrize("override", ["optimiser=adm", "optimiser.name=adm", "steps.adm.lr=1"])
def test_an_unknown_piece_is_refused_with_the_nearest(override: str) -> None:
    with pytest.raises(ApicalError, match=r"There is no 'adm' in optimisers. Did you mean 'adam'\?"):
        read_config(Training, overrides=[override])


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("optimiser.lrr=1", "There is no setting 'optimiser.lrr'. Did you mean 'lr'?"),
        ("steps.sgd.momentm=1", "There is no setting 'steps.sgd.momentm'. Did you mean 'momentum'?"),
        ("groups.wide.siz=1", "There is no setting 'groups.wide.siz'. Did you mean 'size'?"),
        ("spare.siz=1", "There is no setting 'spare.siz'. Did you mean 'size'?"),
        ("groups.wide.steps.sgd.momentm=1", "There is no setting 'groups.wide.steps.sgd.momentm'. Did"),
        ("groups.wide.steps.sgd.lr=0", "The setting 'groups.wide.steps.sgd.lr' does not fit. Seen: 0."),
        ("optimiser.lr=-1", "The setting 'optimiser.lr' does not fit. Seen: -1. Input should be greater"),
        ("optimiser=3", "The setting 'optimiser' does not fit. Seen: 3. Give its name, one of: adam, "),
        ("optimiser={}", "The setting 'optimiser' does not fit. Give its name, one of: adam, adamw, "),
        ("steps=sgd", "The setting 'steps' does not fit. Seen: 'sgd'. Write a table of settings by name."),
        ("steps.sgd=3", "Write a table of settings at 'sgd', or null to leave it out."),
    ],
)
def test_what_is_wrong_within_a_piece_is_said_with_the_whole_key(override: str, told: str) -> None:
    with pytest.raises(ApicalError) as error:
        read_config(Training, overrides=[override])
    assert told in str(error.value)


def test_settings_that_do_not_go_together_are_told_without_listing_them() -> None:
    with pytest.raises(ApicalError) as error:
        read_config(Training, optimiser={"name": "sgd", "nesterov": True, "momentum": 0})
    assert str(error.value).startswith("The setting 'optimiser' does not fit. Give momentum a value above 0")


def test_dumped_settings_are_read_back(tmp_path: Path) -> None:
    config = Training(
        optimiser=SgdConfig(lr=0.5, nesterov=True),
        steps={"sgd": SgdConfig(lr=1e-6), "adam": AdamConfig()},
        groups={"wide": Group(size=3, steps={"adam": AdamConfig(weight_decay=0.25)})},
    )
    recipe = tmp_path / "config.yaml"
    recipe.write_text(dump_config(config), encoding="utf-8")
    again = read_config(Training, recipe)
    assert again == config
    assert dump_config(again) == dump_config(config)
    assert list(again.steps) == ["sgd", "adam"]


def test_a_dump_names_one_piece_and_keys_several() -> None:
    lines = dump_config(Training(steps={"sgd": SgdConfig()})).splitlines()
    assert lines[:2] == ["optimiser:", "  name: adam"]
    assert lines[lines.index("steps:") + 1] == "  sgd:"
    assert lines[lines.index("steps:") + 2].startswith("    lr: ")


def test_reading_settings_leaves_what_was_given_alone() -> None:
    given: dict[str, Any] = {"steps": {"sgd": {"lr": 0.5}}}
    read_config(Training, overrides=["steps.sgd.lr=0.25"], **given)
    assert given == {"steps": {"sgd": {"lr": 0.5}}}


@pytest.mark.parametrize("order", [1, -1])
def test_another_piece_comes_without_the_settings_of_the_one_before(order: int) -> None:
    given: dict[str, Any] = {"optimiser": {"name": "sgd", "momentum": 0.5}}
    overrides = ["optimiser.name=adam", "optimiser.lr=0.25"][::order]
    assert read_config(Training, overrides=overrides, **given).optimiser == AdamConfig(lr=0.25)


def test_naming_the_same_piece_keeps_its_settings() -> None:
    given: dict[str, Any] = {"optimiser": {"name": "sgd", "momentum": 0.5}}
    assert read_config(Training, overrides=["optimiser.name=sgd"], **given).optimiser == SgdConfig(
        momentum=0.5
    )
