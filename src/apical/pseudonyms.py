"""Names that tell nothing: an identifier and a secret key come in, a short stable keyed hash goes out."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from apical.errors import ApicalError

__all__ = ["Pseudonyms", "load_or_create_key"]

KEY_BYTES = 32
DIGITS = 16
"""Hexadecimal digits of a pseudonym: 64 bits, with which two of a million names hardly ever agree."""


class Pseudonyms:
    """Keyed hashes: the same name gives the same pseudonym, and nobody without the key can try names out."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, text: str, prefix: str) -> str:
        """Name `text` anew, such as `patient-0f3a…`; the same text under another prefix gets another name."""
        message = f"{prefix}\0{text}".encode("utf-8", "surrogateescape")
        digest = hmac.new(self._key, message, hashlib.sha256).hexdigest()
        return f"{prefix}-{digest[:DIGITS]}"


def load_or_create_key(path: Path) -> bytes:
    """Read the key at `path`, or draw one there that only its owner may read."""
    if not path.exists():
        _create_key(path)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ApicalError(
            "The file is no key for pseudonyms",
            where=str(path),
            seen=f"{len(key)} bytes instead of {KEY_BYTES}",
            remedy="Bring back the key that was used first; without it old pseudonyms can't be made again",
        )
    return key


def _create_key(path: Path) -> None:
    """Write a key beside its place, then link it there, so that nobody sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        _link(draft, path)
    finally:
        draft.unlink()


def _link(draft: Path, path: Path) -> None:
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return  # another process was faster: its key counts
