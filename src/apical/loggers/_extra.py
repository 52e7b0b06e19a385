"""What comes with an extra: an import that fails comes in, what to install goes out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from apical.errors import ApicalError

__all__ = ["needing"]


@contextmanager
def needing(extra: str, title: str) -> Iterator[None]:
    """Around imports that only this extra of apical provides."""
    try:
        yield
    except ImportError as error:
        raise ApicalError(
            f"{title} is not installed", seen=str(error), remedy=f"Install it: pip install 'apical[{extra}]'"
        ) from None
