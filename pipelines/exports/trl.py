"""What TRL's command line reads: the dataset's files as they are, the card that says which is which split, and a
configuration for each training."""

from collections.abc import Mapping, Sequence

import yaml

from tuneworks.pipelines.exports.target import Exported, trained, yaml_file
from tuneworks.trainers.rows import Row

COMMANDS = {"sft": "sft", "quality": "sft", "preference": "dpo", "unpaired": "kto"}
STARTS = {name: f"trl {command} --config {{training}}.yaml" for name, command in COMMANDS.items()}

FOLDER = "dataset"
"""Where the files lie: `datasets` loads no folder called "."."""


def as_it_is(row: Row) -> Row:
    return row


def trainings(written: Sequence[Exported], model: str) -> Mapping[str, str]:
    """Ranked answers, labelled steps and prompts need a loss or a reward of one's own: they get no configuration."""
    files = {f"{FOLDER}/README.md": _card(written)}
    for one, measured in trained(written):
        if one.configuration in COMMANDS:
            options: dict[str, object] = {
                "model_name_or_path": model,
                "use_peft": True,
                "dataset_name": f"./{FOLDER}",
                "dataset_config": one.configuration,
                "dataset_train_split": one.split,
            }
            if measured is not None:
                options |= {"dataset_test_split": measured.split, "eval_strategy": "epoch"}
            options["output_dir"] = f"../models/trl-{one.training}"
            files[f"{one.training}.yaml"] = yaml_file(one.start, options)
    return files


def _card(written: Sequence[Exported]) -> str:
    """Its front matter tells `datasets`, which would guess splits by the names of files, which file is which."""
    files: dict[str, list[dict[str, str]]] = {}
    for one in written:
        if one.path is not None:
            path = f"{one.configuration}/{one.path.name}"
            files.setdefault(one.configuration, []).append({"split": one.split, "path": path})
    configs = [{"config_name": name, "data_files": splits} for name, splits in files.items()]
    return f"---\n{yaml.safe_dump({'configs': configs}, sort_keys=False)}---\n"
