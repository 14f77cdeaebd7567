"""Two engines with the same seed and the same scripted model, each answering in an order of its own, as servers do: all
that every method makes is the same, to the byte."""

import asyncio
import json
import random
from pathlib import Path
from typing import ClassVar

import method_lines
import pytest
from scripted_line import reply
from small_line import write_recipe
from test_run import built

from tuneworks.factory.engine import Completion, Engine, EngineOptions, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.seeds import read_seeds
from tuneworks.pipelines.recipe import Recipe, parse_recipe
from tuneworks.pipelines.stages import steps_of

RESTLESS = method_lines.RECIPE.replace("datasets: [sft]", "stages: [exact_duplicates, rouge]\nholdout: 0.2")


class Restless(EngineOptions):
    """The scripted model, with delays that come from `order` and are no part of what it says."""

    kind: ClassVar[str] = "restless"
    order: int = 0

    def open(self) -> "RestlessEngine":
        return RestlessEngine(self.order)

    def decides(self) -> dict[str, object]:
        return {self.kind: {}}


class RestlessEngine(Engine):
    def __init__(self, order: int) -> None:
        self.name = "restless"
        self._model, self._delays = Scripted(reply), random.Random(order)

    async def complete(self, request: Request) -> Completion:
        await asyncio.sleep(self._delays.random() * 0.01)
        FINISHED.append(request)
        return await self._model.complete(request)

    async def close(self) -> None:
        return None


FINISHED: list[Request] = []


def lines(folder: Path, order: int) -> Recipe:
    write_recipe(folder)
    seeds = [s for s in read_seeds("builtin", "") if not s.meta["input"]][: method_lines.FEW]
    (folder / "few.jsonl").write_text("\n".join(json.dumps({**s.meta, "output": s.answers[0].text}) for s in seeds))
    texts = [json.dumps({"text": d.prompt_text}) for d in read_seeds("documents", "")[: method_lines.TEXTS]]
    (folder / "texts.jsonl").write_text("\n".join(texts))
    return parse_recipe(RESTLESS, "r.yaml").model_copy(update={"engine": Restless(order=order)})


def test_the_order_of_replies_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    orders: list[list[Request]] = []
    files: list[dict[str, bytes]] = []
    for order in (1, 2, 3):
        FINISHED.clear()
        recipe, folder = lines(tmp_path, order), tmp_path / f"run{order}"
        built(recipe, folder)
        orders.append(list(FINISHED))
        made = [*(folder / step.folder for step in steps_of(recipe)), folder / "dataset"]
        found = [path for place in made for path in sorted(place.rglob("*.parquet"))]
        files.append({str(path.relative_to(folder)): path.read_bytes() for path in found})
    assert orders[0] != orders[1] and sorted(map(repr, orders[0])) == sorted(map(repr, orders[1]))
    assert files[0] == files[1] == files[2] and len(files[0]) > 20
