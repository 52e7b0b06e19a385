"""Weights that timm knows: a name comes in, its licence, its place on the web and the way to fetch it go out."""

from __future__ import annotations

from pathlib import Path

import timm

from apical.backbones._foreign import Published

__all__ = ["from_timm"]

FILE = "model.safetensors"


def from_timm(name: str) -> Published:
    """The weights that timm calls `name`."""
    repository = f"timm/{name}"
    settings = timm.get_pretrained_cfg(name)
    licence = settings.license if settings is not None else None

    def fetch() -> Path:
        import huggingface_hub  # takes half a second, which only those who fetch should wait

        return Path(huggingface_hub.hf_hub_download(repository, FILE))

    return Published(
        name=name,
        licence=licence or "not stated",
        url=f"https://huggingface.co/{repository}/resolve/main/{FILE}",
        fetch=fetch,
    )
