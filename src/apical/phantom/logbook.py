"""What of a layout is written already: clips go in as they are done, and come out again after an interruption.

The logbook lies beside the truth while clips are rendered and is gone before any file is spoilt, so that a file is
never spoilt twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from apical.phantom.layouts.base import Layout
from apical.phantom.patient import draw_patient
from apical.phantom.plan import ClipPlan, WrittenClip

__all__ = ["Logbook"]

KEPT = ("fps_hz", "num_frames", "ed", "es", "traces", "truth", "masks")
"""What can't be drawn again without rendering."""


class Logbook:
    """The clips of one folder that are whole on disk."""

    def __init__(self, path: Path, layout: Layout, folder: Path, seed: int) -> None:
        self.path, self.layout, self.folder, self.seed = path, layout, folder, seed

    def written(self, plans: Iterable[ClipPlan]) -> dict[str, WrittenClip]:
        """The clips that an interrupted run left whole, by path."""
        lines = self._lines()
        return {
            plan.path: self._clip(plan, lines[plan.path]) for plan in plans if self._is_whole(plan, lines)
        }

    def note(self, clip: WrittenClip) -> None:
        """Remember a clip whose files are all written."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"path": clip.plan.path, **{name: getattr(clip, name) for name in KEPT}})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def close(self) -> None:
        """Forget all: from here on nothing can be taken over."""
        self.path.unlink(missing_ok=True)

    def _lines(self) -> dict[str, dict[str, Any]]:
        """What was noted, by path; a line that a kill cut short is passed over."""
        lines: dict[str, dict[str, Any]] = {}
        if self.path.is_file():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                try:
                    values = json.loads(line)
                except json.JSONDecodeError:
                    continue
                lines[values["path"]] = values
        return lines

    def _is_whole(self, plan: ClipPlan, lines: Mapping[str, object]) -> bool:
        layout = self.layout
        files = (*layout.files(plan), *layout.trace_files(plan), *layout.fact_files(plan))
        return plan.path in lines and all((self.folder / file).is_file() for file in files)

    def _clip(self, plan: ClipPlan, values: Mapping[str, Any]) -> WrittenClip:
        kept = {name: values[name] for name in KEPT}
        kept |= {"traces": tuple(kept["traces"]), "masks": tuple(kept["masks"])}
        return WrittenClip(
            plan=plan, patient=draw_patient(self.seed, plan.index, self.layout.prevalence), **kept
        )
