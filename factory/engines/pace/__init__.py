"""The pace: how many requests go to which server, when, and how often."""
