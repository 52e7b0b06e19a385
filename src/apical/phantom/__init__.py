"""Synthetic hearts with known truth: anatomy, motion, acoustics, and writers of each public set's layout."""
