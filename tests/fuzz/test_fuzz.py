"""Whatever a file holds, an ingest ends in a row that says what is wrong, or in an error that says what to do.

A failure names the kind, the seed and the number of what was broken; `folders.py` makes it again.
"""

from __future__ import annotations

import csv
import re
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.ingest import ingest
from tests.fuzz.folders import KINDS, one_broken_table
from tests.fuzz.mutations import CANARY, mutant, table_mutant

SEED = 1
BROKEN_TABLES = 300
MOST_BYTES = 2**30
LIMITS = ("processes=1", "timeout_s=10", "memory_mb=1024", "on_split_conflict=exclude")
OUR_WORDS = re.compile(r"[\w ,.;:'()\[\]×-]+", re.ASCII)
NEVER = re.compile(rf"internal error|took longer|needed more memory|the decoder died|\b{CANARY}\b")


@pytest.fixture(autouse=True)
def stays_small() -> Iterator[None]:
    """Fail a test in which a worker, or this process, comes to hold more than a gigabyte.

    Where other tests of this process have held more before, what counts is how much more it becomes.
    """
    before = peak_bytes()
    yield
    assert peak_bytes() <= max(before + MOST_BYTES // 4, MOST_BYTES)


def test_the_mutants_are_2000() -> None:
    assert sum(count for _, _, count in KINDS.values()) + BROKEN_TABLES == 2000


def test_a_mutant_is_a_pure_function_of_its_key() -> None:
    whole = bytes(range(256)) * 4
    for breaks in (mutant, table_mutant):
        broken = [breaks(whole, 3, number) for number in range(200)]
        assert broken == [breaks(whole, 3, number) for number in range(200)]
        assert len({content for content, _ in broken}) > 150


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_file_ends_in_a_row(kind: str, tmp_path: Path) -> None:
    source, fill, count = KINDS[kind]
    folder, out = tmp_path / "source", tmp_path / "dataset"
    folder.mkdir()
    done = fill(folder, SEED, count)
    dataset = ingest(source, folder, out, LIMITS)
    numbers = {clip: number_in(file) for clip, file in file_of_clip(dataset)}
    assert set(numbers.values()) - {None} == set(range(count)), "every file has a row"
    assert dataset.card.counts["usable_clips"] > 0, "some mutants are harmless, so the whole road is tried"
    bad = [(numbers[clip], reason) for clip, reason in reasons_by_clip(dataset) if is_bad(reason)]
    assert [f"{kind}, seed {SEED}, number {n}, {done[n or 0]}: {reason}" for n, reason in bad] == []


def test_a_broken_table_ends_in_rows_or_in_an_error_for_the_user(tmp_path: Path) -> None:
    outcomes = [table_outcome(tmp_path / str(number), number) for number in range(BROKEN_TABLES)]
    assert {outcome for outcome in outcomes if outcome not in ("rows", "error")} == set()
    assert set(outcomes) == {"rows", "error"}


def table_outcome(place: Path, number: int) -> str:
    """`rows`, `error`, or what is wrong with either and where it came from."""
    source, done = one_broken_table(place / "source", SEED, number)
    label = f"{source}, seed {SEED}, number {number}: {done}"
    try:
        dataset = ingest(source, place / "source", place / "dataset", LIMITS)
    except ApicalError as error:
        return f"{label}: {error}" if is_bad(error.what) or NEVER.search(str(error)) else "error"
    except Exception as error:
        raise AssertionError(label) from error
    reasons = dataset.exclusions["reason"].to_list()
    return next((f"{label}: {reason}" for reason in reasons if is_bad(reason)), "rows")


def file_of_clip(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """Each clip and its file, also where the dataset itself does not tell."""
    private = dataset.folder.with_name(f"{dataset.folder.name}.private") / "files.csv"
    if private.is_file():
        with private.open(newline="", encoding="utf-8") as lines:
            yield from ((row["clip"], row["file"]) for row in csv.DictReader(lines))
    else:
        yield from ((row["clip"], row["source_path"] or "") for row in dataset.clips.iter_rows(named=True))


def number_in(file: str) -> int | None:
    """Which mutant a file is; none for rows of tables that name no file."""
    found = re.search(r"(?<!\d)\d{4}(?!\d)", file)
    return int(found[0]) if found else None


def reasons_by_clip(dataset: Dataset) -> Iterator[tuple[str, str]]:
    faults = dataset.exclusions
    yield from zip(faults["clip"].to_list(), faults["reason"].to_list(), strict=True)


def is_bad(reason: str) -> bool:
    return bool(NEVER.search(reason)) or not OUR_WORDS.fullmatch(reason)


def peak_bytes() -> int:
    """Most memory that a worker, or this process, ever held."""
    return 1024 * max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)
    )
