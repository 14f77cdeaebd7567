"""The wheel: the most common verbs and objects, in sectors that fill it."""

import polars as pl

from tuneworks.pipelines.report.features import READ, SCHEMA, Features
from tuneworks.pipelines.report.wheel import OBJECTS, VERBS, most_common, wheel


def asked(pairs: dict[tuple[str, str], int]) -> pl.DataFrame:
    rows = [("en", verb, thing) for (verb, thing), count in pairs.items() for _ in range(count)]
    return pl.DataFrame(rows, schema=READ, orient="row")


def seen(pairs: dict[tuple[str, str], int]) -> Features:
    return Features(SCHEMA.to_frame(), SCHEMA.to_frame(), asked(pairs), READ.to_frame())


def test_the_most_common_come_first_and_each_verb_has_its_objects() -> None:
    verbs = most_common(asked({("write", "poem"): 2, ("write", "story"): 3, ("name", "river"): 4, ("add", "list"): 4}))
    assert [(v.name, v.count, v.objects) for v in verbs] == [
        ("write", 5, [("story", 3), ("poem", 2)]),
        ("add", 4, [("list", 4)]),
        ("name", 4, [("river", 4)]),
    ]


def test_only_so_many_are_drawn_and_the_rest_is_said() -> None:
    many = {(f"verb{v:02d}", f"object{n}"): 30 - v for v in range(25) for n in range(6)}
    drawn = wheel(seen(many))
    assert drawn.count("<path") == VERBS * (1 + OBJECTS)
    shown = sum(4 * (30 - v) for v in range(20))
    assert f"{sum(many.values()):,}; the wheel holds {shown:,} of these" in drawn


def test_one_verb_with_one_object_is_a_whole_turn() -> None:
    drawn = wheel(seen({("write", "poem"): 3}))
    assert drawn.count("<path") == 2 and "NaN" not in drawn and "(100%)" in drawn


def test_chinese_has_a_wheel_of_its_own_and_verbs_without_objects_are_in_none() -> None:
    drawn = wheel(seen({("write", "poem"): 3, ("写", "诗"): 2, ("go", ""): 7}))
    assert drawn.count("<svg") == 2
    assert "English: a verb or question word in 10 instructions, with an object in 3" in drawn and "Chinese: " in drawn


def test_without_verbs_there_is_a_sentence() -> None:
    assert "There is no instruction with a verb" in wheel(seen({}))
