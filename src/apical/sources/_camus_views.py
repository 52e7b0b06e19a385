"""A patient's folder of CAMUS: images and cfg file of an echo view come in, a clip's description goes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from apical.sources._tables import SEXES, Row, letters
from apical.sources._tracings import frame_fault
from apical.sources.base import EchoView, Fault, MaskFile, Phase

__all__ = ["VIEWS", "ViewClip", "ViewImages", "describe"]

VIEWS: Mapping[str, EchoView] = {"2CH": "a2c", "4CH": "a4c"}
CFG_KEYS = ("ED", "ES", "NbFrame", "FrameRate", "EF", "LVef", "LVedv", "LVesv", "ImageQuality", "Sex", "Age")
STRUCTURES = {"lv": (1,), "myo": (2,), "la": (3,)}
ENDINGS = (".nii.gz", ".nii", ".mhd")
PIXEL_ENDINGS = (".raw", ".zraw")
PHASES: tuple[tuple[str, Phase], ...] = (("ED", "ed"), ("ES", "es"))
SEQUENCES = ("half_sequence", "sequence")
QUALITIES = {"good": "good", "medium": "medium", "poor": "poor"}
MOST_FRAMES = 10_000


class ViewImages:
    """The files of one patient and echo view."""

    def __init__(self, folder: Path, place: Path, view_name: str) -> None:
        self.place, self.view_name = place, view_name
        self._relative = place.relative_to(folder)
        self._prefix = f"{place.name}_{view_name}_"
        self._names = {path.name for path in place.iterdir()}

    def find(self, what: str) -> Path | None:
        """The image `what`, such as `ED_gt`, relative to the source's folder."""
        candidates = (f"{self._prefix}{what}{ending}" for ending in ENDINGS)
        return next((self._relative / name for name in candidates if name in self._names), None)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to make a clip of."""
        return not any(self.find(what) for what in ("ED", "ES", *SEQUENCES))

    @property
    def pixels(self) -> tuple[Path, ...]:
        """The pixel files beside MHD headers, of images and of masks."""
        names = sorted(name for name in self._names if name.startswith(self._prefix))
        return tuple(self._relative / name for name in names if name.endswith(PIXEL_ENDINGS))

    @property
    def info(self) -> Path | None:
        """The cfg file, if there is one."""
        name = f"Info_{self.view_name}.cfg"
        return self.place / name if name in self._names else None


@dataclass(slots=True)
class _Info:
    """What the cfg file says; frames are counted from 0 here, from 1 there."""

    phases: dict[Phase, int]
    num_frames: int | None
    fps_hz: float | None
    labels: dict[str, float | str | None]
    faults: list[Fault]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewClip:
    """The part of a record that the files of an echo view tell."""

    files: tuple[Path, ...]
    traces: tuple[MaskFile, ...]
    faults: tuple[Fault, ...]
    is_cine: bool
    labels: Mapping[str, float | str | None]
    fps_hz: float | None
    stated_frames: int | None


def describe(images: ViewImages, *, wants_masks: bool) -> ViewClip:
    """The sequence with its masks where the cfg file explains it, otherwise the two stills."""
    info = _read_info(images.info)
    kind = next((kind for kind in SEQUENCES if images.find(kind)), None)
    has_stills = any(images.find(what) for what, _ in PHASES)
    is_explained = len(info.phases) == 2 and info.num_frames is not None
    if kind is None or (has_stills and not is_explained):
        if kind is not None:
            reason = "no cfg file tells which frames of the sequence are ED and ES; the stills are used"
            info.faults.append(Fault(level="note", reason=reason))
        return _stills(images, info, wants_masks)
    return _cine(images, kind, info, wants_masks)


def _stills(images: ViewImages, info: _Info, wants_masks: bool) -> ViewClip:
    files: list[Path] = []
    traces: list[MaskFile] = []
    for what, phase in PHASES:
        still, masks = images.find(what), images.find(f"{what}_gt")
        if still is None:
            info.faults.append(Fault(level="trace", reason=f"there is no {what} image"))
        elif masks is not None:
            traces.append(MaskFile(frame=len(files), path=masks, index=0, structures=STRUCTURES, phase=phase))
        elif wants_masks:
            info.faults.append(Fault(level="trace", reason=f"there is no {what} mask", frame=len(files)))
        files += [still] if still else []
    return ViewClip(
        files=tuple(files),
        traces=tuple(traces),
        faults=tuple(info.faults),
        is_cine=False,
        labels=info.labels,
        fps_hz=None,
        stated_frames=len(files),
    )


def _cine(images: ViewImages, kind: str, info: _Info, wants_masks: bool) -> ViewClip:
    sequence, masks = images.find(kind), images.find(f"{kind}_gt")
    assert sequence is not None
    traces = tuple(_sequence_masks(masks, info) if masks else _still_masks(images, info))
    if wants_masks and not traces:
        info.faults.append(Fault(level="trace", reason="no frame of the sequence has a mask"))
    return ViewClip(
        files=(sequence,),
        traces=traces,
        faults=tuple(info.faults),
        is_cine=True,
        labels=info.labels,
        fps_hz=info.fps_hz,
        stated_frames=info.num_frames,
    )


def _sequence_masks(masks: Path, info: _Info) -> Iterator[MaskFile]:
    """A mask for every frame."""
    phase_of: dict[int, Phase] = {frame: phase for phase, frame in info.phases.items()}
    for frame in range(info.num_frames or 0):
        yield MaskFile(frame=frame, path=masks, index=frame, structures=STRUCTURES, phase=phase_of.get(frame))


def _still_masks(images: ViewImages, info: _Info) -> Iterator[MaskFile]:
    """The masks of the stills, put where the cfg file says that the stills come from."""
    for what, phase in PHASES:
        masks = images.find(f"{what}_gt")
        if masks is not None and phase in info.phases:
            frame = info.phases[phase]
            yield MaskFile(frame=frame, path=masks, index=0, structures=STRUCTURES, phase=phase)


def _read_info(path: Path | None) -> _Info:
    """Lines such as `ED: 1`; without a file, all is unknown."""
    text, faults = _text_of(path)
    pairs = (line.partition(":") for line in text.splitlines())
    cells = {letters(key): value for key, _, value in pairs}
    row = Row({key: cells.get(letters(key), "") for key in CFG_KEYS}, decimal_comma=False)
    num_frames = row.whole("NbFrame", low=1, high=MOST_FRAMES)
    return _Info(
        phases=_phases(row, num_frames),
        num_frames=num_frames,
        fps_hz=row.number("FrameRate", low=0.1, high=10_000),
        labels=_labels(row),
        faults=[*faults, *row.faults],
    )


def _text_of(path: Path | None) -> tuple[str, tuple[Fault, ...]]:
    if path is None:
        return "", ()
    try:
        return path.read_bytes().decode("utf-8-sig", errors="replace"), ()
    except OSError:
        return "", (Fault(level="label", reason="the cfg file can't be read"),)


def _phases(row: Row, num_frames: int | None) -> dict[Phase, int]:
    phases: dict[Phase, int] = {}
    for key, phase in PHASES:
        frame = row.whole(key, low=0, high=MOST_FRAMES)
        if frame is None:
            continue
        if reason := frame_fault(frame - 1, num_frames):
            row.faults.append(Fault(level="trace", reason=f"{key}: {reason}"))
        else:
            phases[phase] = frame - 1
    return phases


def _labels(row: Row) -> dict[str, float | str | None]:
    ef_percent = row.number("EF", low=0, high=100)
    return {
        "ef_percent": row.number("LVef", low=0, high=100) if ef_percent is None else ef_percent,
        "edv_ml": row.number("LVedv", low=0, high=2000),
        "esv_ml": row.number("LVesv", low=0, high=2000),
        "image_quality": row.word("ImageQuality", QUALITIES),
        "sex": row.word("Sex", SEXES),
        "age_years": row.number("Age", low=0, high=120),
    }
