"""What LLaMA-Factory reads beside the data: dataset_info.json, and a configuration for each training."""

import json
from collections.abc import Mapping, Sequence

from tuneworks.pipelines.exports.target import Exported, Form, trained, yaml_file
from tuneworks.trainers.rows import Row

REGISTRY = "dataset_info.json"

ALPACA = {"prompt": "instruction", "query": "input", "system": "system", "history": "history"}
ANSWERED, PAIRED = {"response": "output"}, {"chosen": "chosen", "rejected": "rejected"}
LABELLED = {"kto_tag": "kto_tag"}

SHAREGPT = {"messages": "conversations"}
TAGS = {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt", "system_tag": "system"}

STAGES: Mapping[str, dict[str, object]] = {
    "sft": {"stage": "sft", "mask_history": True},  # it would train on the answers of earlier turns, too
    "quality": {"stage": "sft", "mask_history": True},
    "preference": {"stage": "dpo"},
    "unpaired": {"stage": "kto"},
}
STARTS = dict.fromkeys(STAGES, "llamafactory-cli train {training}.yaml")


def alpaca_registry(written: Sequence[Exported], model: str) -> Mapping[str, str]:
    return _registry({_name(one): _alpaca(one.configuration, one.path.name) for one in written if one.path})


def sharegpt_registry(written: Sequence[Exported], model: str) -> Mapping[str, str]:
    return _registry({_name(one): _sharegpt(one.configuration, one.path.name) for one in written if one.path})


def trainings(written: Sequence[Exported], model: str) -> Mapping[str, str]:
    """The registry and one configuration a training. The chat template is the tokenizer's own."""
    files = dict(sharegpt_registry(written, model))
    for one, measured in trained(written):
        options: dict[str, object] = {
            "model_name_or_path": model,
            **STAGES[one.configuration],
            "do_train": True,
            "finetuning_type": "lora",
            "dataset_dir": ".",
            "dataset": _name(one),
        }
        if measured is not None:
            options |= {"eval_dataset": _name(measured), "eval_strategy": "epoch"}
        options["output_dir"] = f"../models/llamafactory-{one.training}"
        files[f"{one.training}.yaml"] = yaml_file(one.start, options)
    return files


def _name(one: Exported) -> str:
    return one.path.stem if one.path else ""


def _registry(entries: Mapping[str, object]) -> Mapping[str, str]:
    return {REGISTRY: json.dumps(entries, indent=2) + "\n"}


def _alpaca(configuration: str, name: str) -> dict[str, object]:
    return {"file_name": name, **_ranking(configuration), "columns": {**ALPACA, **_columns(configuration, ANSWERED)}}


def _sharegpt(configuration: str, name: str) -> dict[str, object]:
    columns = {**SHAREGPT, **_columns(configuration, {})}
    return {
        **{"file_name": name, "formatting": "sharegpt", **_ranking(configuration)},
        **{"columns": columns, "tags": TAGS},
    }


def _ranking(configuration: str) -> dict[str, object]:
    return {"ranking": True} if configuration == "preference" else {}


def _columns(configuration: str, answer: dict[str, str]) -> dict[str, str]:
    if configuration == "preference":
        return PAIRED
    return {**answer, **LABELLED} if configuration == "unpaired" else answer


def labelled(answered: Form) -> Form:
    """A form of single answers, with the tag by which LLaMA-Factory tells good ones from bad."""

    def tagged(row: Row) -> Row | str:
        form = answered(row)
        return form if isinstance(form, str) else {**form, "kto_tag": row["label"]}

    return tagged
