"""Doctor: this machine and this installation come in, what they can do and what is missing goes out."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from apical.version import VERSION
from apical.workers import available_cores

if TYPE_CHECKING:
    import torch

__all__ = ["Finding", "findings"]

SHOWN_LIBRARIES = ("torch", "torchvision", "lightning-fabric", "timm", "numpy", "polars", "av", "pydicom")
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    name: str
    value: str


def findings() -> list[Finding]:
    """Versions, devices, threads, bf16 support, what training takes of them, memory, codecs and extras."""
    return [
        Finding("apical", VERSION),
        Finding("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        *(Finding(name, _version(name)) for name in SHOWN_LIBRARIES),
        *_device_findings(),
        Finding("memory", _memory()),
        Finding("dicom codecs", ", ".join(_dicom_codecs()) or "none"),
        *(Finding(f"extra '{extra}'", state) for extra, state in _extras().items()),
    ]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return f"missing: pip install {package}"


def _device_findings() -> list[Finding]:
    import torch

    from apical.precision import resolve_precision

    devices = [
        *(torch.device("cuda", index) for index in range(torch.cuda.device_count())),
        *([torch.device("mps")] if torch.backends.mps.is_available() else []),
        torch.device("cpu"),
    ]
    capability = torch.backends.cpu.get_cpu_capability()
    return [
        Finding("cpu", f"{available_cores()} cores, {torch.get_num_threads()} torch threads, {capability}"),
        Finding("cpu bf16", _cpu_bf16()),
        *(Finding(str(device), _accelerator(device)) for device in devices[:-1]),
        *([] if len(devices) > 1 else [Finding("accelerator", "none; everything runs on the CPU")]),
        Finding(
            "training",
            f"on {devices[0].type}, in {resolve_precision('auto', devices[0])} unless told otherwise",
        ),
    ]


def _cpu_bf16() -> str:
    """Whether bf16 products are done by the hardware; without that, autocast makes training slower."""
    import torch

    from apical.precision import gains_from_bf16

    if not gains_from_bf16(torch.device("cpu")):
        return "emulated, or not known to gain: float32 is faster"
    return f"in hardware ({'AMX' if torch.cpu._is_amx_tile_supported() else 'AVX-512'}): faster than float32"


def _accelerator(device: torch.device) -> str:
    import torch

    from apical.precision import gains_from_bf16

    bf16 = "bf16" if gains_from_bf16(device) else "no bf16"
    if device.type != "cuda":
        return f"Apple GPU, {bf16}"
    properties = torch.cuda.get_device_properties(device)
    return f"{properties.name}, {properties.total_memory / GIB:.0f} GiB, {bf16}"


def _memory() -> str:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return "unknown"
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return f"{pages * size / GIB:.1f} GiB"


def _dicom_codecs() -> list[str]:
    """Compressed transfer syntaxes that the installed plug-ins can decode."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import (
        JPEG2000,
        JPEG2000Lossless,
        JPEGBaseline8Bit,
        JPEGLosslessSV1,
        JPEGLSLossless,
        RLELossless,
    )

    names = {
        "JPEG": JPEGBaseline8Bit,
        "JPEG lossless": JPEGLosslessSV1,
        "JPEG-LS": JPEGLSLossless,
        "JPEG 2000": JPEG2000,
        "JPEG 2000 lossless": JPEG2000Lossless,
        "RLE": RLELossless,
    }
    return [name for name, uid in names.items() if get_decoder(uid).is_available]


def _extras() -> dict[str, str]:
    """Each optional extra, and what is missing of it."""
    wanted: dict[str, list[str]] = {}
    for text in requires("apical") or []:
        requirement = Requirement(text)
        extra = str(requirement.marker).partition("extra == ")[2].strip("\"'") if requirement.marker else ""
        if extra:
            wanted.setdefault(extra, []).append(requirement.name)
    return {extra: _extra_state(extra, packages) for extra, packages in sorted(wanted.items())}


def _extra_state(extra: str, packages: list[str]) -> str:
    missing = [package for package in packages if not _is_installed(package)]
    return f"missing {', '.join(missing)}: pip install 'apical[{extra}]'" if missing else "installed"


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return find_spec(package) is not None
    return True
