"""What several tests share: small synthetic folders, made once a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

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


@pytest.fixture
def real_camus() -> Path:
    """The real CAMUS copy, where there is one."""
    if not CAMUS.is_dir():
        pytest.skip("the real CAMUS data are not here")
    return CAMUS
