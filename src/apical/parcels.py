"""Parcels: a run and a dataset come in; what its parcels are, in pictures, tables and a file to fill in, goes out.

A run without parcels is looked at before they are made: how alike its tokens are, and which shifts that suggests.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from apical.atlas import Atlas, ClipMap, atlas_of, clip_map
from apical.correspondences import correspondences_of
from apical.dataset import Dataset
from apical.encoders import encoder_of
from apical.errors import ApicalError
from apical.evenly import evenly
from apical.launch import device_named
from apical.models import model_of
from apical.pictures.correspondences import draw_correspondences
from apical.pictures.page import write_page
from apical.pictures.parcels import draw_atlas, draw_clip, draw_reasons
from apical.pictures.run_sheet import NOTICE
from apical.reasons import reasons_for
from apical.run import Run
from apical.segments import Segments
from apical.sight import head_settings, sight_of
from apical.tasks._mask_answers import traced_images
from apical.tasks._mask_task import STRUCTURES

__all__ = ["Parcelled", "parcels"]

MOST_IMAGES, MOST_CLIPS, FRAMES = 400, 4, 16
WANTED = 32
"""Parcels for which shifts are suggested."""


@dataclass(frozen=True)
class Parcelled:
    """What was written."""

    folder: Path
    lines: tuple[str, ...]
    """What a terminal says."""


def parcels(
    run: Path,
    data: Path,
    out: Path,
    *,
    split: str = "val",
    levels: Sequence[int] | None = None,
    device: str = "auto",
) -> Parcelled:
    """Draw what the parcels of a run are on a split of a dataset, or of `all`.

    For a run that has none yet, `levels` are the maps of its backbone that a head is to look at.
    """
    trained, dataset = Run.open(run), Dataset.open(data)
    clips = dataset.usable_clips
    clips = clips if split == "all" else clips.filter(pl.col("split") == split)
    if clips.is_empty():
        raise ApicalError(
            f"No clip is in the split '{split}'", where=str(data), remedy="Take another --split, or all."
        )
    out.mkdir(parents=True, exist_ok=True)
    if head_settings(trained) is None:
        chosen = tuple(levels) if levels else None
        captions, lines = _correspond(trained, dataset, clips, chosen, out, device)
    else:
        captions, lines = _parcelled(trained, dataset, clips, out, device)
    card = dataset.card
    write_page(
        out / "index.html",
        "pictures.html",
        {name: out / name for name in captions},
        title=f"Parcels of {trained.folder.resolve().name} on {card.title}, {split}",
        words_are="In words",
        facts_are="What it is of",
        lines=lines,
        captions=captions,
        notes=(),
        facts=[
            ("Terms", "; ".join(dict.fromkeys([f"data: {card.licence}", *trained.card.licences]))),
            ("Run", trained.card.command),
        ],
        notice=NOTICE,
        is_synthetic=card.is_synthetic,
    )
    kind = " (synthetic data)" if card.is_synthetic else ""
    return Parcelled(
        out,
        (
            f"{trained.folder.resolve().name} on {card.title}{kind}, {split}.",
            *lines,
            f"Terms: {card.licence}.",
            NOTICE,
            f"Look at {out / 'index.html'}",
        ),
    )


def _correspond(
    run: Run,
    dataset: Dataset,
    clips: pl.DataFrame,
    levels: tuple[int, ...] | None,
    out: Path,
    device: str,
) -> tuple[Mapping[str, str], list[str]]:
    """Before there are parcels."""
    encoder = encoder_of(run).to(device_named(device))
    found = correspondences_of(encoder, dataset, clips, _size(run, dataset), levels)
    draw_correspondences(found, WANTED, out / "correspondences.png", _note(dataset))
    settings = [f"method.{name}_shift={value:.2f}" for name, value in found.shifts(WANTED).items()]
    if levels:
        settings.append(f"method.head.levels=[{','.join(map(str, levels))}]")
    return (
        {"correspondences.png": "How alike tokens are"},
        [
            "This run has no parcels yet. To make them, with shifts as its tokens suggest:",
            _typed("pretrain raptor", run, dataset, settings),
        ],
    )


def _parcelled(
    run: Run, dataset: Dataset, clips: pl.DataFrame, out: Path, device: str
) -> tuple[Mapping[str, str], list[str]]:
    """Atlas, clips and, where the run makes masks of its parcels, why they are as they are."""
    sight, size = sight_of(run, parcels=True).to(device_named(device)), _size(run, dataset)
    model = model_of(run, device=device_named(device)) if run.card.stage == "finetune" else None
    structures = _structures(dataset)
    traced = traced_images(dataset, clips, structures) if structures else pl.DataFrame()
    images = _middles(clips) if traced.is_empty() else traced
    images = images[evenly(len(images), MOST_IMAGES)]
    atlas = atlas_of(sight, dataset, clips, images, () if traced.is_empty() else structures, size)
    atlas.table().write_csv(out / "parcels.csv", float_precision=4)
    draw_atlas(atlas, out / "atlas.png", _note(dataset))
    longest = clips.sort("num_frames", descending=True, maintain_order=True)[:MOST_CLIPS]
    shown = [clip_map(sight, dataset, row, FRAMES, size) for row in longest.iter_rows(named=True)]
    draw_clip(shown, out / "clips.png", _note(dataset))
    captions = {"atlas.png": "All parcels", "clips.png": "From frame to frame"}
    lines = _atlas_lines(atlas, shown)
    if model is not None:
        reasons = reasons_for(model, dataset, clips, images)
        draw_reasons(reasons, out / "why.png", _note(dataset))
        captions = {"why.png": "Why each image got its mask", **captions}
        return captions, [*lines, *_segment_lines(run)]
    _write_form(atlas, structures or STRUCTURES, out / "segments.yaml")
    return captions, [*lines, *_form_lines(run, dataset, out)]


def _atlas_lines(atlas: Atlas, shown: list[ClipMap]) -> list[str]:
    alive = int((atlas.present > 0).sum())
    stability = float(np.mean([clip.stability for clip in shown]))
    purity = atlas.purity
    lines = [
        f"{alive} of {len(atlas.present)} parcels occur in {atlas.images} images; "
        f"from frame to frame {stability:.1%} of pixels keep theirs."
    ]
    if purity is not None:
        lines.append(f"Purity: {purity:.1%} of pixels lie where most of their parcel lies.")
    return lines


def _segment_lines(run: Run) -> list[str]:
    path = Segments.path(run.folder)
    segments = Segments.read(path)
    names = (
        f"{name}: parcels {', '.join(map(str, each)) or 'none'}" for name, each in segments.members.items()
    )
    return [*names, f"Edit {path} and run 'apical evaluate' again: it takes effect at once."]


def _form_lines(run: Run, dataset: Dataset, out: Path) -> list[str]:
    form = out / "segments.yaml"
    return [
        f"Name the parcels of each structure in {form}, with the atlas beside it; no label is needed then:",
        _typed("finetune parcel_segmentation", run, dataset, [f"task.segments={form}"]),
    ]


def _typed(stage: str, run: Run, dataset: Dataset, settings: Sequence[str]) -> str:
    """A command that can be typed as it stands, spaces in names or not."""
    names = ["--init", str(run.folder), "--data", str(dataset.folder), "--out", "NEW"]
    return f"apical {stage} {shlex.join([*names, *settings])}"


def _write_form(atlas: Atlas, structures: tuple[str, ...], path: Path) -> None:
    """A file for people to fill in; one that is there already may be filled in, and stays."""
    if path.is_file():
        return
    empty: dict[str, tuple[int, ...]] = dict.fromkeys(structures, ())
    Segments(len(atlas.present), "named", empty).write(path)


def _middles(clips: pl.DataFrame) -> pl.DataFrame:
    """The middle frame of each clip: what there is to look at where nothing is traced."""
    middle = (pl.col("num_frames") // 2).alias("frame")
    return clips.with_row_index("row").select(pl.col("row").cast(pl.Int64), "clip", middle, "patient")


def _structures(dataset: Dataset) -> tuple[str, ...]:
    traced = set(dataset.traces["structure"].unique())
    return tuple(name for name in STRUCTURES if name in traced)


def _size(run: Run, dataset: Dataset) -> tuple[int, int]:
    """The size that the run worked at."""
    size = run.config.get("size")
    if size is None:
        views = run.config.get("views", {})
        size = next((view["size"] for view in views.values() if view.get("size")), None)
    if size is None:
        return dataset.frame_size
    return (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))


def _note(dataset: Dataset) -> str:
    return "Synthetic data." if dataset.card.is_synthetic else ""
