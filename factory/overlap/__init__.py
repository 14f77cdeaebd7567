"""Exact joins of texts by what they share: every pair at or above a threshold, without comparing all pairs."""
