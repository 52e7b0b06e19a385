"""No name, number or path of a patient reaches a dataset, a page or the terminal."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pydicom
import pytest

from apical.dataset import Dataset

NAMING = {"PN", "LO", "SH", "LT", "ST", "UT", "UI", "DA", "DT", "AS", "CS"}
HARMLESS = re.compile(
    r"(?i)[\d.]{0,4}|us|iso.*|original|derived|primary|yes|no|.*ultrasound.*"
    r"|rgb|ybr.*|mono.*|palette.*"
)


@pytest.fixture(scope="module")
def walked(
    phantom_folder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, str]:
    """A DICOM folder, its dataset, and all that was said on the way."""
    source, out = phantom_folder("dicom", 4, dirt=True), tmp_path_factory.mktemp("deid") / "dataset"
    said = ""
    for words in (["ingest", "dicom", str(source), "--out", str(out)], ["inspect", str(out)]):
        answer = subprocess.run(
            [sys.executable, "-m", "apical", *words], capture_output=True, text=True, check=True
        )
        said += answer.stdout + answer.stderr
    return source, out, said


def secrets_of(source: Path) -> set[str]:
    """Texts of every header, and the names of files and folders."""
    found = {
        part for path in source.rglob("*") for part in path.relative_to(source).parts if "phantom" not in part
    }
    for path in source.rglob("*"):
        if path.is_file() and b"DICM" in path.read_bytes()[:132]:
            header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            found |= {str(element.value) for element in header.iterall() if element.VR in NAMING}
    return {text for text in found if len(text) > 4 and not HARMLESS.fullmatch(text)}


def test_no_secret_leaves_the_source(walked: tuple[Path, Path, str]) -> None:
    source, out, said = walked
    secrets = secrets_of(source)
    assert len(secrets) > 30
    told = said.replace(str(source), "").replace(str(out), "")
    for path in out.rglob("*"):
        if path.suffix == ".parquet":
            told += (
                pl.read_parquet(path).drop("runs", "sector_runs", "source_runs", strict=False).write_ndjson()
            )
        elif path.suffix in {".csv", ".json", ".jsonl", ".html"}:
            told += re.sub(r"base64,[^\"]*", "", path.read_text(encoding="utf-8"))
    known = {"apical phantom"}  # who made these files stands in the card of the dataset too
    assert not {secret for secret in secrets - known if secret in told}


def test_the_audit_has_a_row_for_every_file_that_was_read(walked: tuple[Path, Path, str]) -> None:
    _, out, _ = walked
    with (out / "deidentification.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    usable = set(Dataset.open(out).usable_clips["clip"])
    assert usable <= {row["clip"] for row in rows}
    assert all("PatientID" in row["hashed_tags"] for row in rows)
    assert all(int(row["dropped_tags"]) > 5 for row in rows)
    assert all(row["sector"] == "fan" for row in rows if row["clip"] in usable)


def test_only_the_private_folder_leads_back(walked: tuple[Path, Path, str]) -> None:
    source, out, _ = walked
    private = out.with_name(out.name + ".private")
    paths = pl.read_csv(private / "files.csv")
    assert all((source / path).exists() for path in paths["file"])
    assert set(paths["clip"]) == set(Dataset.open(out).clips["clip"])
    for path in (private, private / "key", private / "files.csv"):
        assert path.stat().st_mode & 0o077 == 0
