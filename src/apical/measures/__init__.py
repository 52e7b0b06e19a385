"""Measures taken from masks: volumes by discs, ejection fraction."""
