"""What several tests share: small synthetic folders, made once a session."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.tasks.parcelled import ParcelRuns

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the tests already run side by side; before torch is imported

from apical.dataset import Dataset
from apical.ingest import ingest
from apical.phantom.write import write_phantom

REPOSITORY = Path(__file__).parents[1]
CAMUS = REPOSITORY.parent / "shared" / "data" / "camus"


@pytest.fixture(scope="session")
def phantom_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Folders of synthetic data by layout, number of patients and dirt, written once."""
    written: dict[tuple[str, int, bool], Path] = {}

    def folder(layout: str, patients: int = 8, dirt: bool = False) -> Path:
        key = (layout, patients, dirt)
        if key not in written:
            written[key] = tmp_path_factory.mktemp(layout) / "source"
            write_phantom(layout, written[key], patients=patients, seed=3, dirt=dirt, processes=1)
        return written[key]

    return folder


@pytest.fixture(scope="session")
def phantom_dataset(
    phantom_folder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Dataset]:
    """Datasets of synthetic data by layout and number of patients, ingested once."""
    ingested: dict[tuple[str, int], Dataset] = {}

    def dataset(layout: str, patients: int = 8) -> Dataset:
        key = (layout, patients)
        if key not in ingested:
            out = tmp_path_factory.mktemp(layout) / "dataset"
            ingested[key] = ingest(layout, phantom_folder(layout, patients), out, ["processes=1"])
        return ingested[key]

    return dataset


@pytest.fixture(scope="session")
def parcel_runs(tmp_path_factory: pytest.TempPathFactory) -> ParcelRuns:
    """Painted hearts and runs that cut them into parcels, each made once, when it is first asked for."""
    from tests.tasks.parcelled import ParcelRuns  # torch is slow to import

    return ParcelRuns(tmp_path_factory.mktemp("parcels"))


@pytest.fixture
def real_camus() -> Path:
    """The real CAMUS copy, where there is one."""
    if not CAMUS.is_dir():
        pytest.skip("the real CAMUS data are not here")
    return CAMUS
