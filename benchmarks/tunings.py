"""Every way to tune, side by side: what it trains, learns, costs and saves, and whether it loads and merges exactly.

    OMP_NUM_THREADS=1 python benchmarks/tunings.py --data alpaca.json

`--data` is a file of rows with instruction, input and output. Of the short ones `--rows` are trained on, and
`--held-out` more are measured, by SFT with our defaults. `--only` names ways: `--only "ia3,lora on 4 bit"`.
`--rates` trains each with several learning rates in place of its default.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from measuring import table

from tuneworks.factory.errors import TuneworksError
from tuneworks.factory.record import Answer, Record
from tuneworks.trainers.bits import Bits
from tuneworks.trainers.rows import VIEWS
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.tuning import METHODS, UNMERGED, Tuning

HEADS = (
    *("tuning", "learning rate", "weights trained", "MB frozen", "held-out loss before", "after", "s a step"),
    *("MB saved", "differs when loaded", "when merged (mean / most)"),
)


@dataclass(frozen=True, slots=True)
class Way:
    name: str
    tuning: Tuning
    bits: Bits | None = None
    peft: dict[str, Any] = field(default_factory=dict)


def ways() -> Iterator[Way]:
    yield Way("full", "full")
    for tuning in METHODS:
        yield Way(tuning, tuning)
    yield Way("bottleneck pfeiffer", "bottleneck", peft={"placement": "pfeiffer"})
    for tuning, bits in (("lora", 4), ("dora", 4), ("adalora", 4), ("bottleneck", 4), ("lora", 8)):
        yield Way(f"{tuning} on {bits} bit", tuning, bits)


def write_rows(data: Path, rows: int, held_out: int, longest: int, into: Path) -> Path:
    """The dataset that a trainer reads: the view `sft`, to train on and held out."""
    found = [row for row in json.loads(data.read_text(encoding="utf-8")) if 1 < len(words(row)) <= longest]
    drawn = random.Random(0).sample(found, rows + held_out)
    records = [Record.born(asked(row), answers=[Answer(row["output"], "data", {})]) for row in drawn]
    view = VIEWS["sft"]
    (into / "sft").mkdir(parents=True)
    for name, part in (("train", records[:rows]), ("test", records[rows:])):
        pl.DataFrame(list(view.rows(part)), schema=view.schema).write_parquet(into / "sft" / f"{name}.parquet")
    return into


def words(row: dict[str, Any]) -> list[str]:
    return f"{asked(row)} {row['output']}".split()


def asked(row: dict[str, Any]) -> str:
    return f"{row['instruction']}\n\n{row['input']}" if row["input"] else str(row["instruction"])


def measured(
    way: Way, rate: float | None, options: argparse.Namespace, dataset: Path, into: Path
) -> tuple[object, ...]:
    args = {"max_steps": options.steps} | ({"learning_rate": rate} if rate else {})
    trainer = Sft(model=options.model, tuning=way.tuning, bits=way.bits, peft=way.peft, args=args)
    try:
        trainer.train(dataset, into)
    except TuneworksError as error:
        return (way.name, f"{rate or ''}", *[""] * 7, str(error))
    metrics, manifest = (json.loads((into / f"{name}.json").read_text()) for name in ("metrics", "manifest"))
    saved = sum(file.stat().st_size for file in into.glob("*.safetensors"))
    return (
        way.name,
        f"{manifest['args']['learning_rate']:g}",
        f"{manifest['trained_weights']:,}",
        f"{manifest['frozen_megabytes']:.0f}",
        f"{metrics['held_out_loss_before']:.3f}",
        f"{metrics['held_out_loss_after']:.3f}",
        f"{metrics['seconds_per_step']:.2f}",
        f"{saved / 1e6:.2f}",
        f"{manifest['reload_max_difference']:.1g}",
        merged(way, into, bool(manifest["args"]["bf16"])),
    )


def merged(way: Way, into: Path, bf16: bool) -> str:
    """How far the logits of the merged model are from those that were trained, in the mean and at the most."""
    import torch

    from tuneworks.trainers.loading import load_model
    from tuneworks.trainers.quantized import apart, quantization

    if way.tuning in UNMERGED or way.tuning == "full":
        return "-"
    trained = load_model(str(into), {} if way.bits is None else quantization(way.bits, "cpu", bf16)).eval()
    whole = load_model(str(into), {}, merged=True).eval()
    tokens = torch.linspace(0, whole.config.vocab_size - 1, 128).long()[None]
    with torch.inference_mode():
        found = apart(whole(input_ids=tokens).logits, trained(input_ids=tokens).logits)
    return f"{found['mean']:.1g} / {found['max']:.1g}"


def chosen(only: Sequence[str]) -> list[Way]:
    return [way for way in ways() if not only or way.name in only]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--held-out", type=int, default=32)
    parser.add_argument("--longest", type=int, default=60, help="words of a row")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[])
    parser.add_argument("--rates", type=lambda text: [float(rate) for rate in text.split(",")], default=[None])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_rows(options.data, options.rows, options.held_out, options.longest, Path(folder) / "dataset")
        rows = [
            measured(way, rate, options, dataset, Path(folder) / f"{way.name} {rate}".replace(" ", "-"))
            for way in chosen(options.only)
            for rate in options.rates
        ]
    title = f"{options.model}, {options.rows} rows, {options.steps} steps"
    table(title, HEADS, rows)


if __name__ == "__main__":
    main()
