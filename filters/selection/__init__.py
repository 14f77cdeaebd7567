"""Which records to choose: the ways to a varied subset, and what a record is about."""
