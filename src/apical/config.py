"""Settings as values: a recipe file and `key.sub=value` overrides come in, one checked, frozen object goes out."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError
from pydantic_core import ErrorDetails

from apical import registry
from apical.errors import ApicalError, nearest

__all__ = [
    "Config",
    "PieceConfig",
    "dump_config",
    "named_pieces",
    "piece",
    "pieces",
    "read_config",
    "read_recipe",
]


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

    def validated(value: Any) -> PieceConfig:
        return _piece_config(folder, value)

    return BeforeValidator(validated), PlainSerializer(lambda value: value.model_dump(mode="json"))


def pieces(folder: str) -> tuple[BeforeValidator, PlainSerializer]:
    """Marks a field as several pieces of `folder` in order: a table of settings by name; null leaves one out."""

    def validated(value: Any) -> dict[str, PieceConfig]:
        if not isinstance(value, Mapping):
            raise ValueError("Write a table of settings by name")
        chosen = {name: settings for name, settings in value.items() if settings is not None}
        return {name: _named_config(folder, name, settings, name) for name, settings in chosen.items()}

    def dumped(value: Mapping[str, PieceConfig]) -> dict[str, Any]:
        return {name: settings.model_dump(mode="json", exclude={"name"}) for name, settings in value.items()}

    return BeforeValidator(validated), PlainSerializer(dumped)


class _PieceError(ValueError):
    """What is wrong with a piece's own settings; the model that holds the piece knows the way to it."""

    def __init__(self, model: type[Config], error: ErrorDetails, way: tuple[str, ...]) -> None:
        self.model, self.error, self.way = model, error, way
        super().__init__(str(_explained(model, error, way)))


def _piece_config(folder: str, value: Any) -> PieceConfig:
    if isinstance(value, PieceConfig):
        return value
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise ValueError(f"Give its name, one of: {', '.join(registry.names(folder))}")
    return _named_config(folder, value["name"], value)


def _named_config(folder: str, name: str, value: Any, *way: str) -> PieceConfig:
    """The checked settings of a piece, to which `way` leads from the field that holds it."""
    if isinstance(value, PieceConfig):
        return value
    model = registry.load(folder, name).Config
    assert issubclass(model, PieceConfig)
    if not isinstance(value, Mapping):
        raise ValueError(f"Write a table of settings at '{name}', or null to leave it out")
    try:
        checked: PieceConfig = model.model_validate({**value, "name": name})
    except ValidationError as error:
        raise _PieceError(model, error.errors()[0], way) from None
    return checked


def dump_config(config: Config) -> str:
    """The settings as YAML that `read_config` takes back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def read_config(
    model: type[AnyConfig], recipe: Path | None = None, overrides: Iterable[str] = (), **given: Any
) -> AnyConfig:
    """Settings from the recipe, then from what is `given` by name, then from `key.sub=value` overrides."""
    values = {} if recipe is None else read_recipe(recipe)
    values.update(copy.deepcopy({key: value for key, value in given.items() if value is not None}))
    for override in sorted(overrides, key=_names_no_piece):
        _apply(values, override, model)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _explained(model, error.errors()[0]) from None


def read_recipe(path: Path) -> dict[str, Any]:
    """The table of settings in a YAML file."""
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


def named_pieces(overrides: Iterable[str]) -> dict[str, str]:
    """Which pieces are overridden, by the words or the tables that name them."""
    pairs = [override.partition("=") for override in overrides]
    words = {key.removesuffix(".name"): _word(value) for key, _, value in pairs}
    return {key: word for key, word in words.items() if word}


def _word(value: str) -> str:
    """A plain word as it is, the name in a table; nothing where that can't be read, which is said later on."""
    if not value.startswith("{"):
        return value
    try:
        table = yaml.safe_load(value)
    except yaml.YAMLError:
        return ""
    return str(table.get("name", ""))


def _apply(values: dict[str, Any], override: str, model: type[Config]) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ApicalError(
            f"'{override}' is no setting", remedy="Write settings as key=value or key.sub=value."
        )
    *parents, last = key.strip().split(".")
    if parents and parents[0] not in values:
        values.update(_default(model, parents[0]))  # of which one setting changes, and not the others
    for parent in parents:
        if isinstance(values.get(parent), str):
            values[parent] = {"name": values[parent]}  # a piece that was given by its name alone
        if values.get(parent) is None:
            values[parent] = {}
        values = values[parent]
        if not isinstance(values, dict):
            raise ApicalError(f"'{parent}' in '{override}' has no settings below it", remedy="Set it whole.")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ApicalError(
            f"The value in '{override}' can't be read", remedy="Quote it: key='\"value\"'."
        ) from None
    if last == "name" and values.get("name") != value:
        values.clear()  # another piece has other settings
    values[last] = value


def _names_no_piece(override: str) -> bool:
    """Sorts what names a piece before the settings below it, whatever the order they were typed in."""
    return not override.partition("=")[0].strip().endswith(".name")


def _default(model: type[Config], key: str) -> dict[str, Any]:
    """What stands at this key where nothing is said, as plain values; nothing, where there is no such default."""
    field = model.model_fields.get(key)
    if field is None or field.is_required():
        return {}
    return model.model_construct().model_dump(mode="json", include={key})


def _explained(model: type[Config], error: ErrorDetails, above: tuple[str, ...] = ()) -> ApicalError:
    """The first thing wrong, said with its key and the way to put it right; `above` leads to the model."""
    inner = tuple(str(part) for part in error["loc"])
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, _PieceError):
        return _explained(cause.model, cause.error, (*above, *inner, *cause.way))
    key = ".".join([*above, *inner])
    if error["type"] == "extra_forbidden":
        *parents, last = inner
        return ApicalError(f"There is no setting '{key}'", remedy=nearest(last, _keys_below(model, parents)))
    if error["type"] == "missing":
        return ApicalError(f"The setting '{key}' is missing", remedy=f"Add {key}=…")
    seen = None if isinstance(error["input"], Mapping) else repr(error["input"])
    what = f"The setting '{key}' does not fit" if key else "These settings do not fit together"
    return ApicalError(what, seen=seen, remedy=error["msg"].removeprefix("Value error, "))


def _keys_below(kind: Any, way: Iterable[str]) -> list[str]:
    """The keys of the table that the way leads to from a model or a table of models."""
    for key in way:
        kind = _without_none(kind)
        if _is_model(kind):
            kind = kind.model_fields[key].annotation if key in kind.model_fields else None
        else:
            kind = get_args(kind)[1] if get_origin(kind) in {dict, Mapping} else None
    kind = _without_none(kind)
    return list(kind.model_fields) if _is_model(kind) else []


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _without_none(kind: Any) -> Any:
    """What a setting holds when it is not off."""
    others = [one for one in get_args(kind) if one is not NoneType]
    return others[0] if NoneType in get_args(kind) and len(others) == 1 else kind
