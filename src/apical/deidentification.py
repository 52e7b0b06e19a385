"""De-identification and its proof: clip records come in, pseudonymous ones go out; what was done stands in a table.

`deidentification.csv`, in the dataset, tells file by file what was kept, hashed and blanked, by names of tags, never
by values. The key of the hashes and the table that leads back to the files lie in a private folder beside the
dataset, which must not travel with it.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from apical.draft import AUDIT, Draft
from apical.errors import writing
from apical.pseudonyms import Pseudonyms, load_or_create_key
from apical.sources.base import ClipRecord

__all__ = ["Deidentifier", "write_audit"]

AUDIT_COLUMNS = (
    "file",
    "clip",
    "kept_tags",
    "hashed_tags",
    "matched_tags",
    "dropped_tags",
    "burned_in_text",
    "sector",
    "blanked_percent",
    "excluded",
)


class Deidentifier:
    """Replaces what may identify a patient by keyed hashes, if that is asked for."""

    def __init__(self, dataset_folder: Path, is_on: bool) -> None:
        self.is_on = is_on
        whole = dataset_folder.resolve()
        self.private = whole.with_name(whole.name + ".private")
        self._paths: dict[str, str] = {}
        self._key = b"names are not secret here"

    def records(self, records: Sequence[ClipRecord]) -> list[ClipRecord]:
        """The records under pseudonyms; their `files` still lead to the pixels."""
        if not self.is_on:
            return list(records)
        with writing(str(self.private)):
            self.private.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._key = load_or_create_key(self.private / "key")
            renamed = [_renamed(record, Pseudonyms(self._key)) for record in records]
            for old, new in zip(records, renamed, strict=True):
                self._paths[new.clip] = str(old.files[0]) if old.files else old.clip
            self._write_paths()
        return renamed

    def digest(self, text: str) -> str:
        """SHA-256 of what may hold names and paths; keyed, so that nobody can try out guesses on it."""
        return hmac.new(self._key, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()

    def source_path(self, record: ClipRecord) -> str | None:
        """What the dataset says of where a clip came from."""
        if self.is_on:
            return record.clip
        return str(record.files[0]) if record.files else None

    def _write_paths(self) -> None:
        path = self.private / "files.csv"
        part = path.with_suffix(".part")
        with part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            part.chmod(0o600)
            table = csv.writer(file)
            table.writerow(["clip", "file"])
            table.writerows(self._paths.items())
        part.replace(path)


def write_audit(draft: Draft) -> None:
    """Write the draft's `deidentification.csv`: a row for each file whose header was audited."""
    rows = [_audit_row(entry.clip, entry.audit) for entry in draft.entries() if entry.audit is not None]
    with writing(str(draft.folder)), (draft.work / AUDIT).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(AUDIT_COLUMNS)
        table.writerows(rows)


def _audit_row(clip: Mapping[str, Any], audit: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        clip["source_path"],
        clip["clip"],
        " ".join(audit["kept"]),
        " ".join(audit["hashed"]),
        " ".join(audit["matched"]),
        audit["dropped"],
        audit["burned_in"],
        audit["sector"],
        round(100 * audit["blanked_share"], 1),
        clip["excluded"],
    )


def _renamed(record: ClipRecord, pseudonyms: Pseudonyms) -> ClipRecord:
    name = str(record.files[0]) if record.files else record.clip
    return replace(
        record,
        clip=pseudonyms.of(name, "clip"),
        patient=pseudonyms.of(record.patient, "patient"),
        study=pseudonyms.of(record.study, "study"),
    )
