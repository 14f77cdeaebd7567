"""Trainings on a GPU (or, where there is none, on this processor), beside plain TRL on the same rows in the same run.

`python benchmarks/gpu.py --run runs/quickstart` trains SFT, DPO and quality with LoRA: through Tuneworks, and by a few
lines of TRL with the same arguments. Each is a process of its own, turn about, for so many rounds; the medians count.
Tokens a second are over the steps alone; "whole" is the wall time of the process, in which Tuneworks also shows the
masks, measures held-out rows before and after, saves, and loads the model again to compare.

The share of the peak is of what this device reaches in a large matrix product of the same type: 4 operations a weight
and token with LoRA (forward, and backward through the frozen weights). Padding is no work that counts. Packing is on
against off for SFT. `--append FILE` adds the tables, dated and with the device's name, to a file such as
benchmarks/RESULTS.md.
"""

import argparse
import contextlib
import datetime
import io
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from measuring import table

KINDS = {"sft": "sft", "dpo": "preference", "quality": "quality"}
LORA = {"r": 16, "lora_alpha": 32, "target_modules": "all-linear"}


def arguments(given: argparse.Namespace) -> dict[str, Any]:
    return {
        "max_steps": given.steps,
        "per_device_train_batch_size": given.batch,
        "per_device_eval_batch_size": given.batch,
        "learning_rate": 2e-4,
        "max_length": 1024,
        "logging_steps": 10,
        "gradient_checkpointing": False,
    }


def through_tuneworks(kind: str, dataset: Path, args: dict[str, Any], model: str, into: Path) -> dict[str, float]:
    from tuneworks.pipelines.catalog import build
    from tuneworks.trainers.trainer import Trainer

    trainer = build(("trainers",), {kind: {"model": model, "args": args}}, ())
    assert isinstance(trainer, Trainer)
    into.mkdir(parents=True)
    began = time.monotonic()
    trainer.train(dataset, into)
    found = json.loads((into / "metrics.json").read_text(encoding="utf-8"))
    return {
        "seconds": found["seconds"],
        "tokens": found["tokens_per_second"] * found["seconds"],
        "whole": time.monotonic() - began,
    }


def through_trl(kind: str, dataset: Path, args: dict[str, Any], model: str, into: Path) -> dict[str, float]:
    """In a process of its own, as the other is."""
    into.mkdir(parents=True)
    command = [sys.executable, __file__, "--plain", json.dumps([kind, str(dataset), args, model, str(into)])]
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=(into / "log").open("w"))
    found: dict[str, float] = json.loads((into / "plain.json").read_text(encoding="utf-8"))
    return found | {"whole": time.monotonic() - began}


def plain(kind: str, dataset: str, args: dict[str, Any], model: str, into: str) -> None:
    """What one writes who uses TRL alone: a config, the rows, the trainer."""
    import torch
    import trl
    from datasets import load_dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tuneworks.factory.engines.decoding import device_and_dtype
    from tuneworks.factory.weights import prepare

    device, dtype = device_and_dtype()
    name = "DPO" if kind == "dpo" else "SFT"
    config = getattr(trl, f"{name}Config")(
        output_dir=into, report_to="none", save_strategy="no", disable_tqdm=True, use_cpu=device == "cpu",
        bf16=dtype == torch.bfloat16, dataloader_pin_memory=device == "cuda", **args,
    )  # fmt: skip
    rows = load_dataset("parquet", data_files=f"{dataset}/{KINDS[kind]}/train.parquet", cache_dir=f"{into}/cache")
    place = prepare(model)
    trainer = getattr(trl, f"{name}Trainer")(
        model=AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32), args=config,
        train_dataset=rows["train"], processing_class=AutoTokenizer.from_pretrained(place),
        peft_config=LoraConfig(task_type="CAUSAL_LM", **LORA),
    )  # fmt: skip
    began = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - began
    tokens = max(entry.get("num_tokens", 0) for entry in trainer.state.log_history)
    (Path(into) / "plain.json").write_text(json.dumps({"seconds": seconds, "tokens": tokens}), encoding="utf-8")


def peak() -> tuple[str, float]:
    """The device's name, and the operations a second that it reaches in a large product of matrices."""
    import torch

    from tuneworks.factory.engines.decoding import device_and_dtype

    device, dtype = device_and_dtype()
    size = 8192 if device == "cuda" else 2048
    left, right = (torch.randn(size, size, dtype=dtype, device=device) for _ in range(2))
    seconds = []
    for _ in range(12):
        wait()
        began = time.perf_counter()
        left @ right
        wait()
        seconds.append(time.perf_counter() - began)
    name = torch.cuda.get_device_name() if device == "cuda" else f"this processor, {torch.get_num_threads()} threads"
    return f"{name}, {str(dtype).removeprefix('torch.')}", 2 * size**3 / min(seconds[2:])


def wait() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def weights(model: str) -> int:
    """How many a token is multiplied with: all but the embedding, which is looked up, and with the head."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from tuneworks.factory.weights import prepare

    with torch.device("meta"):
        made = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(prepare(model)))
    head = made.get_output_embeddings().weight.numel()
    return sum(w.numel() for name, w in made.named_parameters() if "embed" not in name and "lm_head" not in name) + head


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    found = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    return found | {"rate": statistics.median(one["tokens"] / one["seconds"] for one in rounds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="A run with the datasets sft, preference and quality.")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--into", type=Path, default=Path("gpu_trainings"), help="The folder to work in; made anew.")
    parser.add_argument("--append", type=Path, help="A file that the tables are added to.")
    parser.add_argument("--plain", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.plain:
        plain(*json.loads(given.plain))
        return
    if given.run is None:
        parser.error("name a run: --run runs/quickstart")
    shutil.rmtree(given.into, ignore_errors=True)
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        measure(given)
    print(told.getvalue())
    if given.append:
        with given.append.open("a", encoding="utf-8") as into:
            into.write(told.getvalue())


def measure(given: argparse.Namespace) -> None:
    name, fastest = peak()
    per_token = 4 * weights(given.model)
    args, dataset = arguments(given), given.run / "dataset"
    print(f"\n## Trainings beside plain TRL on {name} ({datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d})")
    print(f"\n`python benchmarks/gpu.py --steps {given.steps} --batch {given.batch} --rounds {given.rounds}`,", end=" ")
    print(f"{given.model}; the device reaches {fastest / 1e12:.2f} tera-operations a second in a product of matrices.")
    rows = []
    for kind in KINDS:
        sides: dict[str, list[dict[str, float]]] = {"Tuneworks": [], "TRL": []}
        for at in range(given.rounds):
            for side, train in (("Tuneworks", through_tuneworks), ("TRL", through_trl)):
                into = given.into / f"{kind}-{side}-{at}"
                sides[side].append(train(kind, dataset, args, given.model, into))
        found = {side: medians(rounds) for side, rounds in sides.items()}
        for side, one in found.items():
            share, ratio = one["rate"] * per_token / fastest, one["rate"] / found["TRL"]["rate"]
            rows.append((kind, side, one["rate"], f"{share:.1%}", f"{ratio:.3f}", one["seconds"], one["whole"]))
    columns = ("training", "side", "tokens/s", "of the peak", "of TRL's", "s, the steps", "s, whole")
    table("Tuneworks beside TRL", columns, rows)
    packed(given, dataset, args)


def packed(given: argparse.Namespace, dataset: Path, args: dict[str, Any]) -> None:
    """One epoch of the same rows each: packed rows are longer and fewer."""
    found = {}
    for packing in (False, True):
        once = args | {"max_steps": -1, "num_train_epochs": 4, "packing": packing}
        rounds = [
            through_tuneworks("sft", dataset, once, given.model, given.into / f"packing-{packing}-{at}")
            for at in range(given.rounds)
        ]
        found[packing] = medians(rounds)
    ratio = found[False]["seconds"] / found[True]["seconds"]
    rows = [(("off", "on")[packing], one["seconds"], one["rate"]) for packing, one in found.items()]
    table(f"SFT, 4 epochs: packing is {ratio:.2f} times as fast", ("packing", "s, the steps", "tokens/s"), rows)


if __name__ == "__main__":
    main()
