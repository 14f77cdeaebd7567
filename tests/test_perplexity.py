"""Perplexity: what is measured on the embedded model, and who goes by it."""

import polars as pl
import pytest
from pydantic import ValidationError

from tuneworks.factory.errors import EngineUnavailable
from tuneworks.factory.record import Answer, Record, to_table
from tuneworks.factory.seeds import read_seeds
from tuneworks.filters.perplexity import MEASURES, Perplexity, compressed_share


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


def test_without_a_model_zlib_measures_how_much_an_answer_repeats() -> None:
    texts = ["one two " * 40, "Every word of this sentence differs from all others, more or less so."]
    table = to_table([Record.born("Say it.", answers=[Answer(text)]) for text in texts] + [Record.born("Say nothing.")])
    made = Perplexity(by="zlib").measure(table)
    low, high, nothing = made["zlib"]
    assert low < 0.2 < 0.8 < high and nothing is None
    assert made["tokens"].to_list()[:2] == [80, 13]
    assert compressed_share("") is None


def test_an_empty_table_is_measured(tmp_path: object) -> None:
    chosen = Perplexity(by="zlib")
    assert chosen.reject(chosen.measure(to_table([]))).len() == 0


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"keep": (0.9, 0.1)}, "nothing would stay"),
        ({"keep": (0.5, 1.5)}, "less than or equal to 1"),
        ({"histogram": (0, 0)}, "are all 0"),
        ({"by": "mood"}, "'perplexity', 'ifd', 'alone' or 'zlib'"),
    ],
)
def test_options_that_make_no_sense_are_named(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Perplexity.model_validate(options)


def test_a_missing_model_is_named_before_anything_is_measured() -> None:
    with pytest.raises(EngineUnavailable, match=r"there is no model '\./nowhere'"):
        Perplexity(model="./nowhere").check()


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
