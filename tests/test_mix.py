"""Mixing under a cap."""

from tuneworks.factory.dice import Dice
from tuneworks.factory.record import Record, to_table
from tuneworks.pipelines.mix import mix

TABLES = {
    name: to_table(Record.born(f"{name} {n}", source=name) for n in range(size))
    for name, size in (("large", 50), ("small", 4))
}


def test_the_cap_is_per_source_and_order_stays() -> None:
    whole, reasons = mix(TABLES, 10, Dice(0, "mix"))
    kept = whole.filter(reasons.is_null())
    assert kept["source"].to_list() == ["large"] * 10 + ["small"] * 4
    texts = [p[0]["content"] for p in kept["prompt"]]
    assert texts[:10] == sorted(texts[:10], key=lambda t: int(t.split()[1]))
    assert reasons.drop_nulls().unique().to_list() == [
        "over the cap of 10 records from the source large; the draw left it out"
    ]


def test_the_draw_follows_the_seed_and_without_a_cap_all_stay() -> None:
    def drawn(seed: int) -> list[bool]:
        return mix(TABLES, 10, Dice(seed, "mix"))[1].is_null().to_list()

    assert drawn(0) == drawn(0) != drawn(1)
    assert mix(TABLES, None, Dice(0, "mix"))[1].null_count() == 54


def test_no_records_at_all() -> None:
    whole, reasons = mix({"none": to_table([])}, 3, Dice(0, "mix"))
    assert whole.height == len(reasons) == 0
