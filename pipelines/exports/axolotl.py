"""What axolotl reads: conversations, and a configuration for each training.

Preferences and labels go to TRL's trainers inside axolotl as conversations, without a dataset type of axolotl's own.
Its type `chat_template.default` looks for the answer in the laid out conversation and takes the first place where
it stands: "user" is found in the header of a turn, and what follows is trained on. Its types for KTO write ChatML or
Llama 3 whatever the model is.
"""

from collections.abc import Mapping, Sequence

from tuneworks.pipelines.exports.target import Exported, trained, yaml_file
from tuneworks.trainers.rows import Row

CHAT = {
    "type": "chat_template",
    "field_messages": "messages",
    "message_field_training": "train",  # it would train on the answers of earlier turns, too
    "train_on_eos": "turn",
}

AS_IT_IS: dict[str, object] = {"skip_prepare_dataset": True, "remove_unused_columns": False}

METHODS: Mapping[str, dict[str, object]] = {
    "sft": {},
    "quality": {},
    "preference": {"rl": "dpo", **AS_IT_IS},
    "unpaired": {"rl": "kto", **AS_IT_IS},
}
STARTS = dict.fromkeys(METHODS, "axolotl train {training}.yaml")

LORA = {"adapter": "lora", "lora_r": 16, "lora_alpha": 32, "lora_target_linear": True}
STEPS = {
    **{"sequence_len": 2048, "micro_batch_size": 4, "gradient_accumulation_steps": 4, "num_epochs": 1},
    **{"optimizer": "adamw_torch", "lr_scheduler": "cosine", "learning_rate": 1e-4},
}


def answered(row: Row) -> Row:
    earlier = [{**turn, "train": False} for turn in row["prompt"]]
    return {"id": row["id"], "messages": [*earlier, {**row["completion"][0], "train": True}]}


def paired(row: Row) -> Row:
    return {name: row[name] for name in ("id", "prompt", "chosen", "rejected")}


def labelled(row: Row) -> Row:
    return {name: row[name] for name in ("id", "prompt", "completion", "label")}


def trainings(written: Sequence[Exported], model: str) -> Mapping[str, str]:
    files: dict[str, str] = {}
    for one, measured in trained(written):
        method = METHODS[one.configuration]
        kind = {} if method else CHAT
        options: dict[str, object] = {"base_model": model, **method, "datasets": [_source(one, kind)]}
        if measured is not None:
            options |= {"test_datasets": [_source(measured, kind)], "eval_strategy": "epoch"}
        options |= {**LORA, **STEPS, "output_dir": f"../models/axolotl-{one.training}"}
        files[f"{one.training}.yaml"] = yaml_file(one.start, options)
    return files


def _source(one: Exported, kind: Mapping[str, str]) -> dict[str, str]:
    return {"path": one.path.name if one.path else "", "ds_type": "json", "split": "train", **kind}
