"""What explanations leave to look at: explained studies and their checks come in; files, a page and lines go out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from apical.dataset import Dataset
from apical.explained import Explained
from apical.pictures.explanation_sheet import draw_explanations
from apical.pictures.explanation_video import write_explanation_video
from apical.pictures.page import write_page
from apical.pictures.run_sheet import NOTICE
from apical.run import Run
from apical.sanity import Sanity

__all__ = ["Explanations", "report_explanations"]

MOST_BYTES = 6_000_000
"""Of videos inside the page; those that are more lie beside it."""
KINDS = {".mp4": "video/mp4", ".webm": "video/webm"}
FEW_PLACES = 5
"""Down or across: a map that tells fewer apart says little of where."""


@dataclass(frozen=True)
class Explanations:
    """What was found of some studies of a run on a dataset."""

    run: Run
    dataset: Dataset
    split: str
    way: str
    grid: tuple[int, int]
    studies: Sequence[Explained]
    sanity: Sanity

    @property
    def note(self) -> str:
        """For pictures."""
        return "Synthetic data." if self.dataset.card.is_synthetic else ""

    @property
    def table(self) -> pl.DataFrame:
        """A row a study; how alike maps are to those of shuffled weights is of all together, and stands in each."""
        structures = sorted({name for each in self.studies for name in each.structure_shares})
        checks = [
            {"fall_salient_faded": salient, "fall_random_faded": random}
            for salient, random in zip(self.sanity.salient, self.sanity.random, strict=True)
        ]
        both = zip(self.studies, checks, strict=True)
        rows = [{**_row(study, structures), **falls, **self.sanity.correlations} for study, falls in both]
        return pl.DataFrame(rows, infer_schema_length=None)

    @property
    def notes(self) -> list[str]:
        """What to be warned of."""
        return list(self._warnings())

    def _warnings(self) -> Iterator[str]:
        if not self.sanity.depends_on_learning:
            yield "These maps hardly depend on what was learnt: do not read anything into them"
        if not self.sanity.finds_what_counts:
            yield (
                "What is salient counts no more for the answers than the rest: do not read anything into it; "
                "another --way may do better"
            )
        if min(self.grid) < FEW_PLACES:
            down, across = self.grid
            yield (
                f"These maps tell only {down} × {across} places apart; --way occlusion tells more, "
                "and so does a network of smaller backbone.stride"
            )
        inside, chance = self._in_sector
        if inside < chance - 0.01:
            yield (
                f"Less of what is salient lies in the ultrasound sector ({inside:.0%}) than would by chance "
                f"({chance:.0%}): the network may go by something else than the heart"
            )
        if any(each.sector_share is None for each in self.studies):
            yield "Of some studies nothing speaks for the answer in the clip that is shown: it is told by default"

    @property
    def _in_sector(self) -> tuple[float, float]:
        """The share of what is salient, and of the picture: medians of those studies where anything is salient."""
        known = [
            (each.sector_share, each.sector_area) for each in self.studies if each.sector_share is not None
        ]
        inside, chance = np.median(known or [(0.0, 0.0)], axis=0)
        return float(inside), float(chance)


def _row(study: Explained, structures: Sequence[str]) -> dict[str, str | int | float | None]:
    case = study.case
    return {
        "study": case.study,
        "clip": case.clip,
        "first_frame": study.frames[0],
        "chosen_as": case.why,
        "answer": case.answer,
        "belief": case.belief,
        "clip_belief": case.clip_belief,
        "truth": case.truth,
        "most_important_frame": study.frames[study.foremost],
        "sector_share": study.sector_share,
        "sector_area": study.sector_area,
        **{f"in_{name}": study.structure_shares.get(name) for name in structures},
    }


def report_explanations(found: Explanations, out: Path) -> list[str]:
    """Write videos, the sheet, the table and the page into `out`; what a terminal says."""
    out.mkdir(parents=True, exist_ok=True)
    found.table.write_csv(out / "explanations.csv")
    draw_explanations(found.studies, found.way, out / "frames.png", found.note)
    videos = {
        write_explanation_video(each, found.way, out / f"study-{number:02}", found.note): each
        for number, each in enumerate(found.studies, start=1)
    }
    lines = [*_study_lines(found), *_check_lines(found.sanity)]
    _write_page(found, videos, lines, out)
    card = found.dataset.card
    kind = " (synthetic data)" if card.is_synthetic else ""
    return [
        f"{found.run.folder.resolve().name} on {card.title}{kind}, {found.split}: "
        f"{len(found.studies)} studies, by {found.way}.",
        *lines,
        *(f"Note: {note}." for note in found.notes),
        f"Terms: {card.licence}.",
        NOTICE,
        f"Look at {out / 'index.html'}",
    ]


def _study_lines(found: Explanations) -> list[str]:
    """A line a study."""
    width = max(len(each.case.study) for each in found.studies)
    return [_study_line(each, width) for each in found.studies]


def _study_line(study: Explained, width: int) -> str:
    case = study.case
    share = "nothing" if study.sector_share is None else f"{study.sector_share:.0%}"
    frame = study.frames[study.foremost]
    return (
        f"{case.why:<13}{case.study:<{width}}  {case.verdict}; most in frame {frame}, "
        f"{share} in the sector ({study.sector_area:.0%} of the picture)"
    )


def _check_lines(sanity: Sanity) -> list[str]:
    """A line a check."""
    alike, (salient, random) = sanity.correlations, sanity.falls
    return [
        f"{'The maps depend' if sanity.depends_on_learning else 'The maps hardly depend'} on what was learnt: "
        f"with all weights shuffled, their rank correlation with these is {alike['correlation_all_shuffled']:.2f}; "
        f"with those of the last layer, {alike['correlation_head_shuffled']:.2f}.",
        f"What is salient counts {'more' if sanity.finds_what_counts else 'no more'}: fading the most salient tenth "
        f"of pixels lowers the answer's log-odds by {salient:.2g}, fading a random tenth of the sector "
        f"by {random:.2g} (medians).",
    ]


def _write_page(
    found: Explanations, videos: Mapping[Path, Explained], lines: Sequence[str], out: Path
) -> None:
    card = found.dataset.card
    shown = [
        {"name": path.name, "kind": KINDS[path.suffix], "caption": f"{each.case.why}: {each.case.verdict}"}
        for path, each in videos.items()
    ]
    inside = {path.name: path for path in (out / "frames.png", *_fitting(list(videos)))}
    write_page(
        out / "index.html",
        "explanations.html",
        inside,
        title=f"What {found.run.folder.resolve().name} looks at in {card.title}, {found.split}",
        lines=lines,
        notes=found.notes,
        videos=shown,
        facts=[
            ("Way", f"{found.way}, {found.grid[0]} × {found.grid[1]} places"),
            ("Terms", "; ".join(dict.fromkeys([f"data: {card.licence}", *found.run.card.licences]))),
            ("Cite", card.citation),
            ("Run", found.run.card.command),
        ],
        notice=NOTICE,
        is_synthetic=card.is_synthetic,
    )


def _fitting(videos: Sequence[Path]) -> list[Path]:
    """The first of them, as many as the page may hold."""
    total, inside = 0, []
    for path in videos:
        total += path.stat().st_size
        if total <= MOST_BYTES:
            inside.append(path)
    return inside
