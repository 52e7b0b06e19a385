"""Drawings, a file each: arrays and tables come in, PNG files go out."""
