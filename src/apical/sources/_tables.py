"""Tables as they are met in the wild: a CSV file comes in, rows with the columns that were asked for go out.

Compressed or not, with or without a byte-order mark, separated by commas, semicolons or tabs, with columns
more than needed and headers in any case. What is no number becomes unknown, and a fault says so; no text is
repeated.
"""

from __future__ import annotations

import csv
import gzip
import math
import re
import zlib
from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from io import TextIOWrapper
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from apical.errors import ApicalError
from apical.sources.base import Fault

__all__ = ["SEXES", "Row", "Table", "letters"]

Word = TypeVar("Word")

MISSING = frozenset({"", "na", "nan", "nd", "none", "null"})
"""Cells that say that there is no value; this is normal, not a fault."""
SEXES = {"f": "female", "female": "female", "m": "male", "male": "male"}
UNREADABLE = "unreadable"
"""Stands in cells that were cut off, or shifted: of a row that has fewer or more than the header."""
BLOCK_BYTES = 2**20
BROKEN_FILE = (OSError, EOFError, zlib.error, csv.Error)


def letters(text: str) -> str:
    """`text` in small letters and digits only, to compare names that people write in many ways."""
    return re.sub(r"[\W_]+", "", text.casefold())


class Row:
    """A row of a table, read cell by cell; `faults` gathers what was amiss."""

    __slots__ = ("_cells", "_decimal_comma", "faults")

    def __init__(self, cells: Mapping[str, str], *, decimal_comma: bool) -> None:
        self._cells, self._decimal_comma = cells, decimal_comma
        self.faults: list[Fault] = []

    def text(self, column: str) -> str:
        """The cell as it stands; empty where the table has no such column."""
        return self._cells[column].strip()

    def number(self, column: str, *, low: float = -math.inf, high: float = math.inf) -> float | None:
        """The cell's number, if it is one from `low` to `high`."""
        text = self.text(column)
        if letters(text) in MISSING:
            return None
        try:
            number = float(text.replace(",", ".") if self._decimal_comma else text)
        except ValueError:
            number = math.nan
        if low <= number <= high and math.isfinite(number):
            return number
        reason = f"is outside {low:g} to {high:g}" if math.isfinite(number) else "is not a number"
        self.faults.append(Fault(level="label", reason=f"{column} {reason}"))
        return None

    def whole(self, column: str, *, low: int, high: int) -> int | None:
        """The cell's whole number; a fraction is cut off."""
        number = self.number(column, low=low, high=high)
        return None if number is None else int(number)

    def word(self, column: str, vocabulary: Mapping[str, Word]) -> Word | None:
        """What a closed vocabulary has for the cell, whatever its case and punctuation."""
        key = letters(self.text(column))
        if key not in vocabulary and key not in MISSING:
            self.faults.append(Fault(level="label", reason=f"{column} is not a word that is known there"))
        return vocabulary.get(key)


class Table:
    """A CSV file, of which the named columns are wanted; the first of them is its key."""

    def __init__(
        self,
        path: Path,
        columns: Sequence[str],
        optional: Sequence[str] = (),
        also_called: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.path, self.columns = path, (*columns, *optional)
        self._encoding = _encoding(path)
        self._delimiter, self._header = self._read_header()
        self._places = self._find_columns(columns, also_called or {})

    @property
    def has_decimal_commas(self) -> bool:
        """Whether 1,5 is a number here."""
        return self._delimiter != ","

    def rows(self) -> Iterator[Row]:
        """The rows, for convenience."""
        for cells in self.cells():
            yield Row(dict(zip(self.columns, cells, strict=True)), decimal_comma=self.has_decimal_commas)

    def cells(self) -> Iterator[tuple[str, ...]]:
        """The wanted cells of each row, for speed: a tuple in the order of `columns`."""
        width = len(self._header)
        pick = itemgetter(*(self._places[column] for column in self.columns), width)
        key = self._places[self.columns[0]]
        with self._lines() as lines:
            for fields in lines:
                if len(fields) == width:
                    fields.append("")
                elif any(fields):
                    fields = _mended(fields, width, key)
                else:
                    continue
                yield pick(fields)[:-1]

    @contextmanager
    def _lines(self) -> Iterator[Iterator[list[str]]]:
        """The rows below the header, as they stand."""
        with _opened(self.path, self._encoding) as text, _explained(self.path):
            lines = csv.reader(text, delimiter=self._delimiter)
            next(line for line in lines if any(map(str.strip, line)))
            yield lines

    def _read_header(self) -> tuple[str, list[str]]:
        with _opened(self.path, self._encoding) as text, _explained(self.path):
            line = next((line for line in text if line.strip(' \t\r\n,;"')), "")
            if not line:
                raise ApicalError("The table is empty", where=str(self.path), remedy="Fetch it again.")
            delimiter = max(",;\t", key=line.count)
            return delimiter, next(csv.reader([line], delimiter=delimiter))

    def _find_columns(
        self, required: Sequence[str], also_called: Mapping[str, Sequence[str]]
    ) -> dict[str, int]:
        places = {letters(name): place for place, name in reversed(list(enumerate(self._header)))}
        absent = len(self._header)
        found = {}
        for column in self.columns:
            called = [letters(name) for name in (column, *also_called.get(column, ()))]
            found[column] = next((places[name] for name in called if name in places), absent)
        missing = [column for column in required if found[column] == absent]
        if missing:
            raise ApicalError(
                f"The table lacks the columns {', '.join(missing)}",
                where=str(self.path),
                seen=self._near(missing),
                remedy="Fetch the table again, or give these columns their usual names.",
            )
        return found

    def _near(self, missing: Sequence[str]) -> str:
        """Only names like those wanted: without a header, the first line may hold a patient's data."""
        near = {
            name.strip()
            for column in missing
            for name in self._header
            if get_close_matches(letters(column), [letters(name)], cutoff=0.6)
        }
        found = (
            f", of which these come close: {', '.join(sorted(near))}"
            if near
            else ", none of which comes close"
        )
        return f"{len(self._header)} columns{found}"


def _mended(fields: list[str], width: int, key: int) -> list[str]:
    """A row of the header's width and one empty cell more, which absent columns are read from."""
    if any(fields[width:]):
        fields = [field if place == key else UNREADABLE for place, field in enumerate(fields)]
    return [*fields[:width], *[UNREADABLE] * (width - len(fields)), ""]


def _encoding(path: Path) -> str:
    """UTF-8 if the whole file is, UTF-16 if it begins so, else Latin-1, in which every byte is a letter."""
    decoder = getincrementaldecoder("utf-8")()
    with _opened_bytes(path) as file, _explained(path):
        block = file.read(BLOCK_BYTES)
        if block.startswith((b"\xff\xfe", b"\xfe\xff")):
            return "utf-16"
        try:
            while block:
                decoder.decode(block)
                block = file.read(BLOCK_BYTES)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8-sig"


@contextmanager
def _opened(path: Path, encoding: str) -> Iterator[TextIOWrapper]:
    with (
        _opened_bytes(path) as file,
        TextIOWrapper(file, encoding=encoding, errors="replace", newline="") as text,
    ):
        yield text


@contextmanager
def _opened_bytes(path: Path) -> Iterator[BinaryIO]:
    with _explained(path), path.open("rb") as stored:
        if path.suffix == ".gz":
            with gzip.open(stored) as unpacked:
                yield cast("BinaryIO", unpacked)
        else:
            yield stored


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except BROKEN_FILE as error:
        raise ApicalError(
            "The table can't be read", where=str(path), seen=type(error).__name__, remedy="Fetch it again."
        ) from None
