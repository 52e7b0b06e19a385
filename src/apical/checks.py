"""What in a dataset would mislead whoever trains on it: a dataset comes in, warnings go out, worst first."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from apical.dataset import Dataset
from apical.leakage import leaking_patients
from apical.measures.discs import discs_of_mask, ejection_fraction_percent, single_plane_ml

__all__ = ["warnings_of"]

MOST_EXCLUDED = 0.05
MOST_EF_DIFFERENCE = 10.0
MOST_EF_DISAGREEING = 0.1
APICAL = ("a4c", "a2c")
CLIPS_MEASURED = 200
EF_RANGE = (5.0, 90.0)


def warnings_of(dataset: Dataset) -> list[str]:
    """One sentence each."""
    if dataset.usable_clips.is_empty():
        return ["No clip is usable; exclusions.csv says why."]
    return [warning for check in CHECKS for warning in check(dataset)]


def _patients_on_both_sides(dataset: Dataset) -> Iterator[str]:
    if leaking := len(leaking_patients(dataset)):
        yield f"{leaking} patients stand on both sides of the splits: what is tested on them was trained on them."


def _same_file_in_two_splits(dataset: Dataset) -> Iterator[str]:
    copies = (
        dataset.usable_clips.group_by("source_sha256")
        .agg(
            pl.len(),
            pl.col("split").n_unique().alias("splits"),
            pl.col("patient").n_unique().alias("patients"),
        )
        .filter(pl.col("len") > 1)
    )
    leaking = int((copies["splits"] > 1).sum())
    if leaking:
        yield f"{leaking} files stand, byte for byte, in two splits: what is tested on was trained on."
    elif len(copies):
        yield f"{len(copies)} files are there more than once, byte for byte."


def _many_excluded(dataset: Dataset) -> Iterator[str]:
    share = 1 - len(dataset.usable_clips) / max(1, len(dataset.clips))
    if share > MOST_EXCLUDED:
        yield f"{share:.0%} of the clips are excluded; exclusions.csv says why."


def _no_split(dataset: Dataset) -> Iterator[str]:
    if (dataset.usable_clips["split"] == "none").all():
        yield "No clip has a split, so nothing is held out for testing yet."


def _missing_splits(dataset: Dataset) -> Iterator[str]:
    found = set(dataset.usable_clips["split"])
    for split in ("val", "test"):
        if "train" in found and split not in found:
            yield f"There are training clips, but none to {'choose on (val)' if split == 'val' else 'test on'}."


def _unknown_scale(dataset: Dataset) -> Iterator[str]:
    unknown = dataset.usable_clips["spacing_mm_y"].null_count()
    if unknown == len(dataset.usable_clips):
        yield "Pixel spacing is unknown: ejection fraction can be measured, volumes in ml can't."
    elif unknown:
        yield f"Pixel spacing is unknown for {unknown} clips: volumes in ml are left out for them."


def _unknown_rate(dataset: Dataset) -> Iterator[str]:
    unknown = dataset.usable_clips.filter("is_cine")["fps_hz"].null_count()
    if unknown:
        yield f"The frame rate is unknown for {unknown} clips: times in seconds are left out for them."


def _odd_ef(dataset: Dataset) -> Iterator[str]:
    if "ef_percent" in dataset.label_names:
        odd = dataset.usable_clips.filter(~pl.col("ef_percent").is_between(*EF_RANGE))
        if len(odd):
            yield f"{len(odd)} clips have an ejection fraction outside {EF_RANGE[0]:.0f} to {EF_RANGE[1]:.0f} %."


def _traces_disagree_with_ef(dataset: Dataset) -> Iterator[str]:
    """A mask that belongs to another clip, or a label in other units, shows here."""
    if "ef_percent" not in dataset.label_names:
        return
    known = dataset.usable_clips.filter(
        pl.col("ef_percent").is_not_null() & pl.col("echo_view").is_in(APICAL)
    )
    differences = [
        abs(measured - row["ef_percent"])
        for row in known.head(CLIPS_MEASURED).iter_rows(named=True)
        if (measured := traced_ef_percent(dataset, row["clip"])) is not None
    ]
    disagreeing = sum(difference > MOST_EF_DIFFERENCE for difference in differences)
    if differences and disagreeing / len(differences) > MOST_EF_DISAGREEING:
        yield (
            f"In {disagreeing} of {len(differences)} clips the traced masks give an ejection fraction more than "
            f"{MOST_EF_DIFFERENCE:.0f} points from the label."
        )


def traced_ef_percent(dataset: Dataset, clip: str) -> float | None:
    """Single-plane ejection fraction of a clip's own traces; None when either phase is missing."""
    volumes = {}
    row = dataset.clip_row(clip)
    spacing = (row["spacing_mm_y"] or 1.0, row["spacing_mm_x"] or 1.0)
    lv = dataset.traces.filter((pl.col("clip") == clip) & (pl.col("structure") == "lv"))
    for trace in lv.iter_rows(named=True):
        discs = discs_of_mask(dataset.trace_mask(trace), spacing)
        if trace["phase"] and discs:
            volumes[trace["phase"]] = single_plane_ml(discs)
    if len(volumes) < 2:
        return None
    return ejection_fraction_percent(volumes["ed"], volumes["es"])


CHECKS = (
    _patients_on_both_sides,
    _same_file_in_two_splits,
    _traces_disagree_with_ef,
    _many_excluded,
    _no_split,
    _missing_splits,
    _odd_ef,
    _unknown_scale,
    _unknown_rate,
)
