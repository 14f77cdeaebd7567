"""Run where axolotl's package is on the path: what its own loader makes of an exported folder, as JSON.

Arguments: the folder, the file to write, and the names of trainings, each a .yaml file in the folder. Told for each:
the rows that its trainer gets; of tokenized ones the text, and what of it is in the loss.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ |= {"AXOLOTL_DO_NOT_TRACK": "1", "DO_NOT_TRACK": "1"}

from axolotl.cli.config import load_cfg
from axolotl.common.datasets import load_datasets, load_preference_datasets
from axolotl.loaders import load_tokenizer


def read(name: str) -> dict[str, Any]:
    options = load_cfg(f"{name}.yaml", dataset_num_proc=1)
    found = (load_preference_datasets if options.rl else load_datasets)(cfg=options)
    tokenizer = load_tokenizer(options)
    sets = {"train": found.train_dataset, "test": found.eval_dataset}
    return {split: [decoded(row, tokenizer) for row in rows] for split, rows in sets.items()}


def decoded(row: dict[str, Any], tokenizer: Any) -> dict[str, Any]:
    if "input_ids" not in row:
        return row
    learnt = [token for token in row["labels"] if token >= 0]
    return {"text": tokenizer.decode(row["input_ids"]), "in_loss": tokenizer.decode(learnt)}


if __name__ == "__main__":  # the loader may start processes that import this file
    os.chdir(sys.argv[1])
    read_back = {name: read(name) for name in sys.argv[3:]}
    Path(sys.argv[2]).write_text(json.dumps(read_back), encoding="utf-8")
