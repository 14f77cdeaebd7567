"""Releases: a dataset checked against its manifest, and two of them compared."""
