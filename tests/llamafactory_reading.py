"""Run where LLaMA-Factory's package is on the path: what its own loader makes of an exported folder, as JSON.

Arguments: the folder, the file to write, and the names of trainings, each a .yaml file in the folder. Told for each:
the rows as it aligned them, and the rows as it tokenized them for that training, decoded, with what is in the loss.
"""

import importlib.machinery
import json
import os
import sys
import types
from pathlib import Path
from typing import Any

os.environ["DISABLE_VERSION_CHECK"] = "1"  # it pins older releases of what is installed; its loader runs with newer

# Imported at the top for data with sound in it, which there is none of here.
audio = types.ModuleType("torchaudio")
audio.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
sys.modules["torchaudio"] = audio

import yaml  # noqa: E402
from llamafactory.data import get_dataset, get_template_and_fix_tokenizer  # noqa: E402
from llamafactory.data.loader import _get_merged_dataset  # noqa: E402
from llamafactory.hparams import get_train_args  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402


def read(name: str) -> dict[str, Any]:
    options = yaml.safe_load(Path(f"{name}.yaml").read_text(encoding="utf-8"))
    model, data, training, finetuning, _ = get_train_args({**options, "report_to": "none"})
    stage = "rm" if finetuning.stage == "dpo" else finetuning.stage  # as its workflow for DPO does
    tokenizer = AutoTokenizer.from_pretrained(model.model_name_or_path)
    template = get_template_and_fix_tokenizer(tokenizer, data)
    aligned = {
        split: list(_get_merged_dataset(names, model, data, training, stage))
        for split, names in (("train", data.dataset), ("test", data.eval_dataset))
    }
    tokenized = get_dataset(template, model, data, training, stage, tokenizer)["train_dataset"]
    return {"aligned": aligned, "tokenized": [decoded(row, tokenizer) for row in tokenized]}


def decoded(row: dict[str, Any], tokenizer: Any) -> dict[str, Any]:
    """Texts by column: of labels, what is in the loss."""
    told: dict[str, Any] = {name: value for name, value in row.items() if isinstance(value, bool)}
    for name, ids in row.items():
        if name.endswith(("input_ids", "labels")):
            told[name] = tokenizer.decode([token for token in ids if token >= 0])
    return told


if __name__ == "__main__":  # the loader may start processes that import this file
    os.chdir(sys.argv[1])
    read_back = {name: read(name) for name in sys.argv[3:]}
    Path(sys.argv[2]).write_text(json.dumps(read_back), encoding="utf-8")
