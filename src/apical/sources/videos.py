"""Any folder of videos and pictures comes in, clips without labels go out.

Pictures of one folder whose names differ only in the number at the end are the frames of one clip; any other
picture is a still. Whoever has a folder of their own below the top is one patient; a file at the top is
another.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from apical.sources._folders import files_below, is_video, refuse
from apical.sources._names import ClipNames, safe_name
from apical.sources.base import ClipRecord, Source

__all__ = ["Videos"]

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg")
NUMBERED = re.compile(r"(.*?)(\d+)", re.ASCII)
MOST_DIGITS = 18
"""More would overrun the interpreter's limit for numbers in text, and tell nothing about an order."""


class Videos(Source):
    """Videos (AVI, MP4, MOV, MKV, WEBM, GIF) and pictures (PNG, JPG) in any folders, without labels."""

    title = "a folder of videos"
    licence = "Unknown; see where the videos came from"
    citation = "None; cite where the videos came from"
    markers = tuple(
        f"**/*{ending}" for ending in (".avi", ".mp4", ".mov", ".mkv", ".webm", ".gif", *PICTURE_ENDINGS)
    )
    height = width = 224
    fit = "pad"
    crops_to_sector = True
    is_identifying = True  # who knows what people call their files

    def scan(self, folder: Path) -> Iterator[ClipRecord]:
        """Yield a record for every video, still and run of numbered pictures, sorted by path."""
        clips = sorted(_clips(path.relative_to(folder) for path in files_below(folder)))
        if not clips:
            raise refuse(folder, self)
        names = ClipNames()
        for name, files in clips:
            patient, holds_video = safe_name(name.parts[0]), is_video(files[0].name)
            yield ClipRecord(
                clip=names.unique("_".join(name.parts)),
                patient=patient,
                study=patient,
                files=files,
                is_cine=holds_video or len(files) > 1,
                stated_frames=None if holds_video else len(files),
            )


def _clips(files: Iterable[Path]) -> Iterator[tuple[Path, tuple[Path, ...]]]:
    """Each clip's name, which is a path without numbers of frames and endings, and its files in order."""
    runs: dict[tuple[Path, str, str], list[tuple[int, Path]]] = defaultdict(list)
    for path in files:
        numbered = NUMBERED.fullmatch(path.stem)
        is_picture = path.suffix.lower() in PICTURE_ENDINGS
        if is_picture and numbered:
            runs[path.parent, numbered[1], path.suffix].append((int(numbered[2][-MOST_DIGITS:]), path))
        elif is_picture or is_video(path.name):
            yield path.with_suffix(""), (path,)
    for (parent, prefix, _), run in runs.items():
        shared = parent / prefix.rstrip("_-. ")
        is_alone = len(run) == 1
        name = run[0][1].with_suffix("") if is_alone else shared if shared.parts else Path("frames")
        yield name, tuple(path for _, path in sorted(run))
