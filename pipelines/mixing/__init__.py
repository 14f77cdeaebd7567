"""Mixing: the sources put together, each by its quota."""
