"""apical: label-efficient echocardiography, from unlabelled clips and a handful of annotated patients to measurements.

    files on disk ──ingest──▶ DATASET ──pretrain──▶ RUN ──finetune──▶ RUN ──evaluate──▶ SCORES ──compare──▶ a table
                              ▲     └──inspect──▶ pictures, counts and warnings
                   phantom ───┘

Every stage reads artifacts from disk and leaves an artifact on disk; its function has its file's name:
`from apical.ingest import ingest`. Research use only.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from apical.version import VERSION

if TYPE_CHECKING:
    from apical.dataset import Dataset
    from apical.errors import ApicalError

__all__ = ["ApicalError", "Dataset", "__version__"]
__version__ = VERSION

_HOMES = {"ApicalError": "apical.errors", "Dataset": "apical.dataset"}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that importing apical costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'apical' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
