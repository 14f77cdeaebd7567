"""Trials: many short trainings of one model on different rows, each on as many tokens, compared by held-out loss.

`sft` trains one model well and leaves it: it starts a process, shows masks, saves, loads again and compares, which
takes longer than a short trial itself, and its steps are so many rows, whose tokens differ from arm to arm. Here one
process loads the model once, every trial gets a new adapter, and each of its steps learns from exactly as many tokens
as that of any other trial. No model is saved. Prompts, answers and the tokens in the loss are those of `sft`.
"""
