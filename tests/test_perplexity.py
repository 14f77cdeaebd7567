"""Perplexity: what is measured on the embedded model, and who goes by it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tiny_model import CHATML, build_tiny_model

from tuneworks.factory.engine import Engine
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.engines.transformers import Transformers
from tuneworks.factory.errors import EngineUnavailable, RecipeError
from tuneworks.factory.journal import Journal, Journaled
from tuneworks.factory.record import Answer, Message, Record, to_table
from tuneworks.factory.seeds import read_seeds
from tuneworks.filters.perplexity import MEASURES, Perplexity, compressed_share
from tuneworks.pipelines.stages import Step
from tuneworks.pipelines.why_not import _judged


def measures(values: list[float | None], kind: str = "a", bucket: int = 3, by: str = "perplexity") -> pl.DataFrame:
    frame = pl.DataFrame({by: values}, schema={by: pl.Float64})
    frame = frame.with_columns(**{name: pl.lit(None, dtype=t) for name, t in MEASURES.items() if name != by})
    tokens = pl.when(pl.col(by).is_not_null()).then(9).cast(pl.UInt32)
    ids = [f"{kind}{at:03d}" for at in range(len(values))]
    return frame.with_columns(
        tokens=tokens,
        longest=pl.lit(2048, dtype=pl.UInt32),
        kind=pl.lit(kind),
        bucket=pl.lit(bucket),
        id=pl.Series(ids),
    )


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[str]:
    yield build_tiny_model(tmp_path)
    Perplexity().let_go()


def kept(chosen: Perplexity, frame: pl.DataFrame) -> list[int]:
    return [at for at, reason in enumerate(chosen.reject(frame)) if reason is None]


def test_the_band_is_cut_within_each_kind() -> None:
    easy, hard = measures([float(n) for n in range(1, 11)]), measures([float(n) for n in range(101, 111)], "b")
    chosen = Perplexity(keep=(0.1, 0.9))
    assert kept(chosen, pl.concat([easy, hard])) == [*range(1, 9), *range(11, 19)]
    reasons = chosen.reject(pl.concat([easy, hard]))
    assert reasons[0] == "too easy: the perplexity is 1.0, at 0.05 of its kind and length, beyond 0.1"
    assert reasons[19] == "too hard: the perplexity is 110.0, at 0.95 of its kind and length, beyond 0.9"


def test_a_lone_record_of_its_kind_stays_and_so_does_one_without_an_answer() -> None:
    frame = pl.concat([measures([1e6]), measures([None], "b")])
    assert kept(Perplexity(), frame) == [0, 1]


def test_a_row_longer_than_the_model_reads_goes_with_the_limit() -> None:
    frame = measures([None]).with_columns(tokens=pl.lit(5000, dtype=pl.UInt32))
    (reason,) = Perplexity().reject(frame)
    assert reason == "prompt and answer are longer than the 2048 tokens the model reads"


def test_a_prompt_that_hinders_its_answer_goes() -> None:
    frame = measures([0.5, 0.6, 1.2, 0.7], by="ifd")
    chosen = Perplexity(by="ifd", keep=(0, 1))
    assert kept(chosen, frame) == [0, 1, 3]
    assert "the ifd is 1.2, over 1.0" in str(chosen.reject(frame)[2])
    assert kept(Perplexity(by="ifd", keep=(0, 1), max_ifd=None), frame) == [0, 1, 2, 3]


def test_a_histogram_is_filled_and_does_not_hang_on_the_order_of_rows() -> None:
    values: list[float | None] = [1.0 + n / 100 for n in range(80)] + [50.0 + n for n in range(20)]
    frame = measures(values)
    chosen = Perplexity(histogram=(1, 1), share=0.3)
    stay = kept(chosen, frame)
    assert len([at for at in stay if at < 80]) == len([at for at in stay if at >= 80]) == 15
    back = [99 - at for at in kept(chosen, frame.reverse())]
    assert sorted(back) == stay


def test_a_histogram_gives_the_bin_and_its_count() -> None:
    reasons = Perplexity(histogram=(1, 1), share=0.2).reject(measures([float(n) for n in range(1, 11)]))
    assert reasons.null_count() == 2
    assert reasons[9] == "the perplexity is 10.0, in bin 2 of 2 of its kind and length, of which 1 of 7 stay"


@given(st.integers(0, 9), st.floats(0, 0.5), st.booleans())
def test_few_of_a_kind_and_length_all_stay(few: int, low: float, flat: bool) -> None:
    """They are compared with other lengths of their kind; where there are too few of these, with nothing."""
    options = {"histogram": (1, 1), "share": 0.1} if flat else {"keep": (low, low + 0.001)}
    assert kept(Perplexity.model_validate(options), measures([float(n) for n in range(few)])) == list(range(few))


def test_few_of_a_length_are_compared_with_the_next() -> None:
    frame = pl.concat([measures([1.0, 500.0]), measures([float(n) for n in range(100, 118)], bucket=4)])
    assert kept(Perplexity(keep=(0.03, 0.97)), frame) == [*range(2, 20)]


def test_without_a_model_zlib_measures_how_much_an_answer_repeats() -> None:
    texts = ["one two " * 40, "Every word of this sentence differs from all others, more or less so."]
    table = to_table([Record.born("Say it.", answers=[Answer(text)]) for text in texts] + [Record.born("Say nothing.")])
    made = Perplexity(by="zlib").measure(table)
    low, high, nothing = made["zlib"]
    assert low < 0.2 < 0.8 < high and nothing is None
    assert made["tokens"].to_list()[:2] == [80, 13]
    assert compressed_share("") is None


def test_an_empty_table_is_measured(tiny: str) -> None:
    for chosen in (Perplexity(by="zlib"), Perplexity(model=tiny), Perplexity(model=tiny, histogram=(1, 2))):
        assert chosen.reject(chosen.measure(to_table([]))).len() == 0


def test_a_model_measures_all_four_and_any_of_them_may_decide(tiny: str) -> None:
    records = [Record.born(f"Name {n} fish.", answers=[Answer("carp " * (n + 3) + "a trout")]) for n in range(10)]
    made = Perplexity(model=tiny).measure(to_table(records))
    assert made.select("perplexity", "alone", "ifd", "zlib").null_count().row(0) == (0, 0, 0, 0)
    assert made["ifd"].to_list() == pytest.approx((made["perplexity"] / made["alone"]).to_list())
    for by in ("perplexity", "alone", "ifd", "zlib"):
        chosen = Perplexity.model_validate({"by": by, "model": tiny, "max_ifd": None})
        assert chosen.measured_by == ("model",)
        assert chosen.measure(to_table(records)).equals(made)
        gone = [at for at, reason in enumerate(chosen.reject(made)) if reason]
        assert set(gone) == {made[by].arg_min(), made[by].arg_max()}


def asked(chosen: Perplexity, table: pl.DataFrame, engine: Engine) -> pl.DataFrame:
    async def ask() -> pl.DataFrame:
        try:
            return await chosen.ask(table, engine)
        finally:
            await engine.close()

    return asyncio.run(ask())


def test_the_engine_of_the_run_measures_what_the_model_does(tiny: str) -> None:
    answers = ["a carp", "", "a carp, " * 9 + "a trout", "x" * 5_000, "Fish."]
    table = to_table([Record.born(f"Name {n} fish.", answers=[Answer(text)]) for n, text in enumerate(answers)])
    mine, engines = Perplexity(model=tiny), Perplexity(model="engine")
    own, made = mine.measure(table), asked(engines, table, Transformers(model=tiny).open())
    for name in ("perplexity", "alone", "ifd"):
        assert made[name].is_null().to_list() == own[name].is_null().to_list()
        assert made[name].drop_nulls().to_list() == pytest.approx(own[name].drop_nulls().to_list(), rel=0.02)
    same = ["zlib", "kind", "id"]
    assert made.columns == own.columns and made.select(same).equals(own.select(same))
    assert made["tokens"].to_list() == [6, None, 79, None, 5]
    assert engines.reject(made).to_list() == mine.reject(own).to_list()
    assert engines.reject(made)[3] == "prompt and answer are longer than the 1024 tokens the model reads"


def test_an_engine_that_cannot_score_is_named() -> None:
    engine = Scripted(lambda request: "b", name="https://example.org gpt")
    table = to_table([Record.born("a", answers=[Answer("b")])])
    with pytest.raises(RecipeError, match=r"example\.org gpt cannot tell how likely a text is; name a model"):
        asked(Perplexity(model="engine"), table, engine)
    assert engine.calls == []
    with pytest.raises(RecipeError, match="asks the engine of a run, and none is open"):
        Perplexity(model="engine").measure(table)


def test_what_the_engine_scored_is_in_the_journal(tiny: str, tmp_path: Path) -> None:
    table = to_table([Record.born(f"Name {n} fish.", answers=[Answer("a carp " * (n + 1))]) for n in range(20)])
    first, again = Journal(tmp_path / "journal"), Scripted(lambda request: "never asked", f"transformers:{tiny}")
    again.scores = True
    made = asked(Perplexity(model="engine"), table, Journaled(Transformers(model=tiny).open(), first))
    assert asked(Perplexity(model="engine"), table, Journaled(again, first)).equals(made)
    assert made["ifd"].null_count() == 0 and again.calls == []
    first.close()


def test_why_not_asks_no_engine(tmp_path: Path) -> None:
    chosen = Perplexity(model="engine")
    step = Step("02-perplexity", "perplexity", chosen, ("01-file",), "", "print")
    judged = _judged(step, chosen, tmp_path, Record.born("Name a fish.", answers=[Answer("a carp")]))
    assert judged.reason is None and "build to know" in str(judged.unknown)


def test_only_the_engine_is_not_checked_here() -> None:
    chosen = Perplexity(model="engine")
    chosen.check()
    assert chosen.asks_engine() and chosen.asks_model()
    assert not Perplexity().asks_engine()


def test_slices_measure_what_the_whole_does(tiny: str) -> None:
    table = to_table([Record.born(f"Name {n} fish.", answers=[Answer("Carp " * (n % 5))]) for n in range(12)])
    chosen = Perplexity(model=tiny)
    whole, slices = chosen.measure(table), pl.concat([chosen.measure(table[:5]), chosen.measure(table[5:])])
    assert whole.drop("perplexity", "alone", "ifd").equals(slices.drop("perplexity", "alone", "ifd"))
    for name in ("perplexity", "alone"):
        assert slices[name].drop_nulls().to_list() == pytest.approx(whole[name].drop_nulls().to_list(), rel=0.02)


def test_zlib_asks_no_model_unless_one_is_named() -> None:
    assert Perplexity(by="zlib").model is None
    assert Perplexity(by="zlib", model="smollm2").model == "smollm2"
    Perplexity(by="zlib").check()


def test_answers_of_all_sorts_are_measured(tiny: str) -> None:
    texts = ["a carp", "", " ", "x" * 5_000_000, None]
    table = to_table([Record.born("Name a fish.", answers=[Answer(text or "")]) for text in texts])
    answer = pl.Series(
        "answers", [[{"text": text, "by": None, "scores": []}] for text in texts], table["answers"].dtype
    )
    empty = to_table([Record.born([], answers=[Answer("a carp")]), Record.born("Name a fish.")])
    none = table[:1].with_columns(prompt=pl.lit(None, dtype=table["prompt"].dtype))
    made = Perplexity(model=tiny).measure(pl.concat([table.with_columns(answer), empty, none]))
    reasons = Perplexity(model=tiny).reject(made)
    assert made["tokens"].to_list() == [6, None, None, 1025, None, 6, None, 6]
    assert [at for at, value in enumerate(made["perplexity"]) if value is not None] == [0, 5, 7]
    assert reasons.drop_nulls().to_list() == ["prompt and answer are longer than the 1024 tokens the model reads"]
    without = Perplexity(by="zlib").measure(pl.concat([table.with_columns(answer), empty, none]))
    assert [at for at, value in enumerate(without["zlib"]) if value is None] == [1, 4, 6]


def test_a_prompt_the_template_refuses_goes_with_the_reason(tmp_path: Path) -> None:
    refuses = CHATML + "{%- if messages[0].role == 'system' -%}{{ raise_exception('no system role') }}{% endif -%}"
    model = build_tiny_model(tmp_path, refuses)
    asked = [[Message("system", "Be brief."), Message("user", "Name a fish.")], [Message("user", "Name a fish.")]]
    made = Perplexity(model=model).measure(to_table([Record.born(prompt, answers=[Answer("a")]) for prompt in asked]))
    reason, stays = Perplexity(model=model).reject(made)
    assert "chat template refuses the prompt (no system role)" in str(reason) and stays is None
    Perplexity().let_go()


def test_half_a_surrogate_pair_is_compressed() -> None:
    assert compressed_share("\ud800 and more") is not None
    assert compressed_share("a" * 5_000_000) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"keep": (0.9, 0.1)}, "nothing would stay"),
        ({"keep": (0.5, 1.5)}, "less than or equal to 1"),
        ({"histogram": (0, 0)}, "are all 0"),
        ({"histogram": (1, float("inf"))}, "has no end"),
        ({"histogram": (1, -1)}, "greater than or equal to 0"),
        ({"share": 0}, "greater than 0"),
        ({"max_ifd": 0}, "greater than 0"),
        ({"by": "ifd", "model": None}, "by: ifd needs a model; name one, such as smollm2, or write by: zlib"),
        ({"by": "mood"}, "'perplexity', 'ifd', 'alone' or 'zlib'"),
    ],
)
def test_options_that_make_no_sense_are_named(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Perplexity.model_validate(options)


def test_a_missing_model_is_named_before_anything_is_measured() -> None:
    with pytest.raises(EngineUnavailable, match=r"there is no model '\./nowhere'"):
        Perplexity(model="./nowhere").check()


def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EngineUnavailable, match="cannot be loaded"):
        Perplexity(model=str(tmp_path)).measure(to_table([Record.born("a", answers=[Answer("b")])]))


@pytest.mark.real
def test_shuffled_answers_are_harder_for_the_embedded_model() -> None:
    seeds = [s for s in read_seeds("builtin", "") if len(s.answers[0].text.split()) > 12][:12]
    shuffled = [
        Record.born(s.prompt, answers=[Answer(" ".join(sorted(s.answers[0].text.split())))], meta=s.meta) for s in seeds
    ]
    made = Perplexity().measure(to_table([*seeds, *shuffled]))
    real, mixed = made["perplexity"][:12], made["perplexity"][12:]
    assert (real < mixed).all() and real.median() < 60
    assert (made["ifd"] > 0).all() and made["alone"].is_not_null().all()
    again = asked(Perplexity(model="engine"), to_table([*seeds, *shuffled]), Transformers().open())
    for name in ("perplexity", "alone"):
        assert again[name].to_list() == pytest.approx(made[name].to_list(), rel=0.05)
