"""The Hugging Face Hub: a run's dataset goes there, and datasets that lie there are sources."""
