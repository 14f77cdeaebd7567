"""DECIDE: which records stay, and why the others went."""
