"""Rewards besides the judge: models in this process, reward servers, functions of one's own, and several together."""
