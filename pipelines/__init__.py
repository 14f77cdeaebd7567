"""ORDER: the recipe, the run, mixing, the dataset, the command line."""
