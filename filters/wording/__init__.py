"""Signs in the wording, each a filter of its own; `rules` is the bundle of most of them."""
