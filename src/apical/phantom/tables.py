"""Text files of a layout: rows come in; CSV tables, plain lists and `key: value` files go out."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from apical.whole import whole_file

__all__ = ["Row", "Tables", "write_tables"]

Row = dict[str, Any]
Tables = dict[str, list[Row]]
"""Rows by path below the folder. `.csv` has a header, `.txt` one value a line, `.cfg` a key and a value."""


def write_tables(folder: Path, tables: Tables) -> None:
    """Write each table; its ending says how."""
    for name, rows in tables.items():
        text = _csv_text(rows) if name.endswith(".csv") else _lines_text(rows)
        with whole_file(folder / name) as part:
            part.write_text(text, encoding="utf-8")


def _csv_text(rows: Sequence[Row]) -> str:
    text = StringIO()
    if rows:
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def _lines_text(rows: Sequence[Row]) -> str:
    return "".join(": ".join(str(value) for value in row.values()) + "\n" for row in rows)
