"""Faults that real data sets have, planted on purpose and written down, so that each can be looked for."""
