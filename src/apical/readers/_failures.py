"""Foreign decoders behind one door: what they raise becomes an `ApicalError`, what they say is not heard.

Their warnings and messages may quote values from a patient's file.
"""

from __future__ import annotations

import logging
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from apical.errors import ApicalError

__all__ = ["DECODER_FAILURES", "REPLACE", "decoding", "silence"]

REPLACE = "Fetch the file again from where it came, or leave it out"

STDERR = 2
"""Where libraries in C write to, past all of Python's own streams."""

DECODER_FAILURES: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    Warning,
    struct.error,
    zlib.error,
)
"""What decoders raise over broken input."""


@contextmanager
def silence() -> Iterator[None]:
    """Let no library warn, log or print meanwhile; a picture of absurd size is an error."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with _muted(STDERR), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        logging.disable(disabled)


@contextmanager
def _muted(descriptor: int) -> Iterator[None]:
    """Lead what is written to a file descriptor to nowhere."""
    try:
        kept = os.dup(descriptor)
    except OSError:  # it is closed, so there is nothing to mute
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)


@contextmanager
def decoding(path: Path, what: str, *foreign: type[Exception]) -> Iterator[None]:
    """Turn a decoder's failure, `foreign` ones too, into an `ApicalError` that says `what`."""
    failures: tuple[type[Exception], ...] = (*DECODER_FAILURES, *foreign)
    try:
        with silence():
            yield
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        reason = "is not there" if isinstance(error, FileNotFoundError) else "may not be read"
        raise ApicalError(f"The file {reason}", where=path.name, remedy="Check path and rights") from None
    except failures as error:
        raise ApicalError(what, where=path.name, seen=type(error).__name__, remedy=REPLACE) from None
