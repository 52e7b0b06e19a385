"""NIfTI files: arrays (W, H[, T]) come in, frames (T, H, W) go out, so that a CAMUS apex is up."""

from __future__ import annotations

from pathlib import Path

from apical.readers.base import Frames, Reader, Recording

__all__ = ["NiftiReader"]


class NiftiReader(Reader):
    """NIfTI-1 and -2, gzipped or not. The affine is ignored: it says nothing about ultrasound."""

    suffixes = (".nii", ".nii.gz")

    def read(self, path: Path) -> Recording:
        """Decode to 8-bit; whole numbers within 0-255 are kept."""
        from apical.readers._nifti_file import read_nifti  # nibabel takes a while to load

        return read_nifti(path)

    def read_labels(self, path: Path) -> Frames:
        """Decode a label image: whole numbers in 0-255."""
        from apical.readers._nifti_file import read_nifti_labels

        return read_nifti_labels(path)
