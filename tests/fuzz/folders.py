"""Folders of broken files: an empty folder, a seed and a number come in; what was done to each file goes out.

Number `n` of a kind is broken by `mutant(whole file, seed, n)`, or by `table_mutant`, so it can be made again alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.fuzz import seeds
from tests.fuzz.mutations import Mutant, gzipped, mutant, table_mutant, with_true_checksums

__all__ = ["KINDS", "one_broken_table"]

MODALITY_AT = 450
"""Before where a file's modality stands, and behind all else that says `US`."""
Fill = Callable[[Path, int, int], list[str]]


def avi_videos(folder: Path, seed: int, count: int) -> list[str]:
    """Videos without any table."""
    whole = seeds.avi(folder)
    return [_write(folder / f"{n:04d}.avi", mutant(whole, seed, n)) for n in range(count)]


def avi_listed(folder: Path, seed: int, count: int) -> list[str]:
    """Videos with labels and tracings that are whole."""
    _write_tables(folder, "".join(map(_listed, range(count))), "".join(map(_traced, range(count))))
    whole = seeds.avi(folder)
    return [_write(folder / f"Videos/{n:04d}.avi", mutant(whole, seed, n)) for n in range(count)]


def png_stills(folder: Path, seed: int, count: int) -> list[str]:
    """Listed stills; every other one has true checksums, which a decoder would stop at otherwise."""
    whole, names = seeds.pngs(folder), [f"{n:04d}s1_1.png" for n in range(count)]
    lines = ["query_key,view_label,diagnosis_label", *(f"{name},PLAX,no_AS" for name in names)]
    (folder / "labels_per_image.csv").write_text("\n".join(lines))
    done = []
    for n, name in enumerate(names):
        content, how = mutant(whole[n // 2 % len(whole)], seed, n)
        done.append(_write(folder / name, Mutant(with_true_checksums(content) if n % 2 else content, how)))
    return done


def nifti_patients(folder: Path, seed: int, count: int) -> list[str]:
    """A patient a mutant: of a sequence, of its labels, of a still or of a still's labels; packed or not."""
    parts = ("half_sequence", "half_sequence_gt", "ED", "ED_gt")
    whole = {
        "half_sequence": seeds.nifti(folder),
        "half_sequence_gt": seeds.nifti_labels(folder),
        "ED": seeds.nifti(folder, 1),
        "ED_gt": seeds.nifti_labels(folder, 1),
    }
    done = []
    for n in range(count):
        broken, is_packed = parts[n % 4], n // 4 % 3 > 0
        _write_patient(folder, n, {part: whole[part] for part in parts[n % 4 // 2 * 2 :][:2]})
        content, how = mutant(gzipped(whole[broken]) if n // 4 % 3 == 2 else whole[broken], seed, n)
        place = folder / f"database_nifti/patient{n:04d}/patient{n:04d}_4CH_{broken}.nii"
        place.with_suffix(".nii.gz").unlink()
        content = gzipped(content) if n // 4 % 3 == 1 else content
        done.append(_write(place.with_suffix(".nii.gz") if is_packed else place, Mutant(content, how)))
    return done


def cfg_files(folder: Path, seed: int, count: int) -> list[str]:
    """Whole sequences, each with a broken cfg file."""
    whole = {"half_sequence": seeds.nifti(folder), "half_sequence_gt": seeds.nifti_labels(folder)}
    done = []
    for n in range(count):
        _write_patient(folder, n, whole)
        place = folder / f"database_nifti/patient{n:04d}/Info_4CH.cfg"
        done.append(_write(place, table_mutant(seeds.INFO.encode(), seed, n)))
    return done


def dicom_files(folder: Path, seed: int, count: int) -> list[str]:
    """Clips stored in every way by turns; every other one still says that it is ultrasound, and is broken later."""
    whole, done = seeds.dicoms(folder), []
    for n in range(count):
        clip = whole[n // 2 % len(whole)]
        spared = clip.index(b"US", MODALITY_AT) + 2 if n % 2 else 0
        content, how = mutant(clip[spared:], seed, n)
        done.append(_write(folder / f"{n:04d}.dcm", Mutant(clip[:spared] + content, how)))
    return done


def table_rows(folder: Path, seed: int, count: int) -> list[str]:
    """Whole videos; each one's rows in both tables are broken, but for quotes, which would reach further."""
    video, listed, traced, done = seeds.avi(folder), [b""], [b""], []
    for n in range(count):
        is_row = n % 2 == 0
        content, how = table_mutant((_listed(n) if is_row else _traced(n)).encode(), seed, n)
        mended = content.replace(b'"', b"").replace(b"\0", b"") + b"\n"
        listed.append(mended if is_row else _listed(n).encode())
        traced.append(_traced(n).encode() if is_row else mended)
        done.append(_write(folder / f"Videos/{n:04d}.avi", Mutant(video, how)))
    _write_tables(folder, b"".join(listed).decode("latin-1"), b"".join(traced).decode("latin-1"))
    return done


KINDS: Mapping[str, tuple[str, Fill, int]] = {
    "avi_videos": ("videos", avi_videos, 300),
    "avi_listed": ("echonet_dynamic", avi_listed, 100),
    "png_stills": ("tmed2", png_stills, 400),
    "nifti_patients": ("camus", nifti_patients, 400),
    "cfg_files": ("camus", cfg_files, 50),
    "dicom_files": ("dicom", dicom_files, 400),
    "table_rows": ("echonet_dynamic", table_rows, 50),
}
"""Which source reads each kind, what writes it, and how many a test takes."""


def one_broken_table(folder: Path, seed: int, number: int) -> tuple[str, str]:
    """Write the tables of a source, one of them broken; return the source and what was done to which table."""
    source = list(seeds.TABLES)[number % len(seeds.TABLES)]
    tables = seeds.TABLES[source]
    broken = list(tables)[number // len(seeds.TABLES) % len(tables)]
    done = ""
    for name, text in tables.items():
        whole = Mutant(text.encode(), "")
        done += _write(folder / name, table_mutant(whole.content, seed, number) if name == broken else whole)
    if source == "camus":
        (folder / "database_nifti/patient0001").mkdir(parents=True, exist_ok=True)
    return source, f"{broken} {done}"


def _write(path: Path, broken: Mutant) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(broken.content)
    return broken.done


def _write_patient(folder: Path, number: int, parts: Mapping[str, bytes]) -> None:
    place = folder / f"database_nifti/patient{number:04d}"
    _write(place / "Info_4CH.cfg", Mutant(seeds.INFO.encode(), ""))
    for part, content in parts.items():
        _write(place / f"patient{number:04d}_4CH_{part}.nii.gz", Mutant(gzipped(content), ""))


def _write_tables(folder: Path, listed: str, traced: str) -> None:
    header = "FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split\n"
    (folder / "FileList.csv").write_text(header + listed, encoding="utf-8", newline="")
    header = "FileName,X1,Y1,X2,Y2,Frame\n"
    (folder / "VolumeTracings.csv").write_text(header + traced, encoding="utf-8", newline="")


def _listed(number: int) -> str:
    return f"{number:04d},78.5,14.9,69.2,48,64,50,6,TRAIN\n"


def _traced(number: int) -> str:
    rows = ((frame, row) for frame in (1, 4) for row in range(8))
    return "".join(f"{number:04d}.avi,{10 + r},{20 + r},{40 - r},{22 + r},{frame}\n" for frame, r in rows)
