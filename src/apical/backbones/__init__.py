"""Encoders: grey images in, one vector and a map of features out."""
