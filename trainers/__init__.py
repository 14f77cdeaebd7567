"""LEARN: views of the records as training rows, and the trainers over TRL."""
