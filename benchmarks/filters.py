"""Every filter beside a named peer, in one run: CPU seconds, ratios, and whether the answers are the same.

    make bench-filters DATA=alpaca.parquet

`--data` is the original Alpaca as Parquet (instruction, input, output; 52,002 rows). Each side runs in a process of its
own with one thread, one after another. `--only` names one part, such as overlap.
"""

import argparse
import importlib
from pathlib import Path

PARTS = {
    "overlap": "filters_overlap",
    "embedding": "filters_embedding",
    "perplexity": "perplexity",
    "chain": "filters_chain",
    "selection": "filters_selection",
    "wording": "filters_wording",
    "privacy": "filters_privacy",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="Parquet with instruction, input and output")
    parser.add_argument("--only", choices=PARTS, action="append", help="one part, or several")
    options = parser.parse_args()
    for part in options.only or PARTS:
        importlib.import_module(PARTS[part]).run(options.data)


if __name__ == "__main__":
    main()
