"""Settings as values: a recipe file and `key.sub=value` overrides come in, one checked, frozen object goes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails

from apical import registry
from apical.errors import ApicalError, nearest

__all__ = ["Config", "PieceConfig", "dump_config", "piece", "pieces", "read_config"]


class Config(BaseModel):
    """Settings of a stage or a part: frozen, every key known, a line of help under each field."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class PieceConfig(Config):
    """Settings of one interchangeable piece; a piece narrows `name` to its file's name and defaults to it."""

    name: str


AnyConfig = TypeVar("AnyConfig", bound=Config)


def piece(folder: str) -> tuple[BeforeValidator, PlainSerializer]:
    """Marks a field as one piece of `folder`: `Annotated[PieceConfig, *piece("methods")]`.

    It is given as a name, or as a table with `name` and the piece's own settings.
    """

    def validated(value: Any, info: ValidationInfo) -> PieceConfig:
        return _piece_config(folder, value, info.field_name or folder)

    return BeforeValidator(validated), PlainSerializer(lambda value: value.model_dump(mode="json"))


def pieces(folder: str) -> tuple[BeforeValidator, PlainSerializer]:
    """Marks a field as several pieces of `folder` in order: a table of settings by name; null leaves one out."""

    def validated(value: Any, info: ValidationInfo) -> dict[str, PieceConfig]:
        if not isinstance(value, Mapping):
            raise ValueError("Write a table of settings by name")
        where = info.field_name or folder
        chosen = {name: settings for name, settings in value.items() if settings is not None}
        return {name: _named_config(folder, name, settings, where) for name, settings in chosen.items()}

    def dumped(value: Mapping[str, PieceConfig]) -> dict[str, Any]:
        return {name: settings.model_dump(mode="json", exclude={"name"}) for name, settings in value.items()}

    return BeforeValidator(validated), PlainSerializer(dumped)


def _piece_config(folder: str, value: Any, where: str) -> PieceConfig:
    if isinstance(value, PieceConfig):
        return value
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise ApicalError(
            f"The setting '{where}' names no piece", remedy=nearest("", registry.names(folder))
        )
    return _named_config(folder, value["name"], value, where)


def _named_config(folder: str, name: str, value: Any, where: str) -> PieceConfig:
    if isinstance(value, PieceConfig):
        return value
    model = registry.load(folder, name).Config
    assert issubclass(model, PieceConfig)
    try:
        checked: PieceConfig = model.model_validate({**value, "name": name})
    except ValidationError as error:
        raise _explained(model, error.errors()[0], above=f"{where}.") from None
    return checked


def dump_config(config: Config) -> str:
    """The settings as YAML that `read_config` takes back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def read_config(
    model: type[AnyConfig], recipe: Path | None = None, overrides: Iterable[str] = (), **given: Any
) -> AnyConfig:
    """Settings from the recipe, then from what is `given` by name, then from `key.sub=value` overrides."""
    values = {} if recipe is None else _read_recipe(recipe)
    values.update({key: value for key, value in given.items() if value is not None})
    for override in overrides:
        _apply(values, override)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _explained(model, error.errors()[0]) from None


def _read_recipe(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ApicalError(
            "The recipe can't be read", where=str(path), seen=error.strerror, remedy="Check the path."
        ) from None
    except yaml.YAMLError:
        raise ApicalError(
            "The recipe is not YAML", where=str(path), remedy="Mend its indentation and colons."
        ) from None
    if not isinstance(values, dict):
        raise ApicalError(
            "The recipe is not a table of keys", where=str(path), remedy="Write 'key: value' lines."
        )
    return values


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ApicalError(
            f"'{override}' is no setting", remedy="Write settings as key=value or key.sub=value."
        )
    *parents, last = key.strip().split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise ApicalError(f"'{parent}' in '{override}' has no settings below it", remedy="Set it whole.")
    try:
        values[last] = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ApicalError(
            f"The value in '{override}' can't be read", remedy="Quote it: key='\"value\"'."
        ) from None


def _explained(model: type[Config], error: ErrorDetails, above: str = "") -> ApicalError:
    """The first thing wrong, said with its key and the way to put it right; `above` leads to the model's keys."""
    key = above + ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        *parents, last = [str(part) for part in error["loc"]]
        return ApicalError(f"There is no setting '{key}'", remedy=nearest(last, _keys_below(model, parents)))
    if error["type"] == "missing":
        return ApicalError(f"The setting '{key}' is missing", remedy=f"Add {key}=…")
    return ApicalError(
        f"The setting '{key}' does not fit", seen=repr(error["input"]), remedy=error["msg"] + "."
    )


def _keys_below(model: type[BaseModel], parents: list[str]) -> list[str]:
    """The keys of the table that the path leads to."""
    for parent in parents:
        kind = model.model_fields[parent].annotation if parent in model.model_fields else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return []
        model = kind
    return list(model.model_fields)
