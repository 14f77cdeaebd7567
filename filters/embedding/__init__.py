"""Sentence embeddings, and which of them lie close to each other."""
