"""MAKE: what a record is, who answers, and every published method that asks a model."""
