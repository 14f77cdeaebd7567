"""Mixing under a cap."""

from tuneworks.factory.dice import Dice
from tuneworks.factory.record import Record, to_table
from tuneworks.pipelines.mix import mix
from tuneworks.pipelines.recipe import Mix

TABLES = {
    name: to_table(Record.born(f"{name} {n}", source=name) for n in range(size))
    for name, size in (("large", 50), ("small", 4))
}


def test_the_cap_is_per_source_and_order_stays() -> None:
    whole, reasons = mix(TABLES, Mix(cap=10), Dice(0, "mix"))
    kept = whole.filter(reasons.is_null())
    assert kept["source"].to_list() == ["large"] * 10 + ["small"] * 4
    texts = [p[0]["content"] for p in kept["prompt"]]
    assert texts[:10] == sorted(texts[:10], key=lambda t: int(t.split()[1]))
    assert reasons.drop_nulls().unique().to_list() == [
        "the source large gives 10 of its 50 records; the draw left it out"
    ]


def test_the_draw_follows_the_seed_and_without_a_cap_all_stay() -> None:
    def drawn(seed: int) -> list[bool]:
        return mix(TABLES, Mix(cap=10), Dice(seed, "mix"))[1].is_null().to_list()

    assert drawn(0) == drawn(0) != drawn(1)
    assert mix(TABLES, Mix(), Dice(0, "mix"))[1].null_count() == 54


def test_no_records_at_all() -> None:
    whole, reasons = mix({"none": to_table([])}, Mix(cap=3), Dice(0, "mix"))
    assert whole.height == len(reasons) == 0


def test_sources_are_drawn_by_their_quotas() -> None:
    options = Mix(shares={"small": 0.5}, size=6)
    whole, reasons = mix(TABLES, options, Dice(0, "mix"))
    assert whole.filter(reasons.is_null())["source"].to_list() == ["large"] * 3 + ["small"] * 3
