"""The preference auditor: what a set of chosen and rejected answers teaches besides what is meant."""
