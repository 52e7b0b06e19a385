"""Where the faults go: plans of clips come in, the same plans with at most one fault a patient go out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from apical.phantom.draws import generator
from apical.phantom.layouts.base import Layout
from apical.phantom.plan import ClipPlan

__all__ = ["COSTS", "Cost", "Planted", "plant"]

Cost = Literal["clip", "trace", "label", "note", "split"]

COSTS: dict[str, Cost] = {
    "unreadable_file": "clip",
    "missing_file": "clip",
    "missing_tracings": "trace",
    "trace_past_end": "trace",
    "self_crossing": "trace",
    "text_in_number": "label",
    "patient_in_two_splits": "split",
    "truncated_file": "clip",
    "blank": "clip",
    "odd_size": "note",
    "wrong_frame_count": "note",
}
"""What each kind of fault should cost; with few patients the first kinds are planted."""

NEED_A_LISTED_CLIP = {
    "missing_file",
    "missing_tracings",
    "trace_past_end",
    "self_crossing",
    "text_in_number",
    "patient_in_two_splits",
}
"""These strike only clips that all tables have, and that are not odd of themselves."""
LARGEST_SHARE = 0.2
ODD_HEIGHT, ODD_WIDTH = 97, 131


class Planted(NamedTuple):
    """A row of `planted.csv`: a clip's path in the layout, and what the fault should cost."""

    kind: str
    path: str
    patient: str
    frame: int | None
    cost: Cost


def plant(layout: Layout, plans: Sequence[ClipPlan], seed: int, kinds: Collection[str]) -> list[ClipPlan]:
    """Put each kind on one clip, as long as a fifth of the clips is not exceeded; always at least one."""
    planned = list(plans)
    room = max(1, int(LARGEST_SHARE * len(plans)))
    taken: set[str] = set()
    for kind in (kind for kind in COSTS if kind in kinds):
        spoilt = _victims(layout, planned, kind, taken, seed)
        if not spoilt or len(spoilt) > room:
            continue
        room -= len(spoilt)
        taken.add(planned[spoilt[0]].patient)
        for place in spoilt:
            planned[place] = _spoil(planned[place], kind)
    return planned


def _victims(
    layout: Layout, plans: Sequence[ClipPlan], kind: str, taken: Collection[str], seed: int
) -> list[int]:
    """Places of the clips that the fault befalls: one, or a patient's whose clips are not listed."""
    for place in generator("dirt", kind, seed).permutation(len(plans)).tolist():
        plan = plans[place]
        if plan.patient in taken or (plan.quirk and kind in NEED_A_LISTED_CLIP):
            continue
        if kind == "missing_file" and not layout.lists_clips:
            return [other for other, candidate in enumerate(plans) if candidate.patient == plan.patient]
        return [place]
    return []


def _spoil(plan: ClipPlan, kind: str) -> ClipPlan:
    if kind == "odd_size":
        plan = replace(plan, height=ODD_HEIGHT, width=ODD_WIDTH)
    return replace(plan, fault=kind)
