"""The language filter: what is told by the script, what by py3langid, and which texts have no language at all."""

import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from language_sentences import SENTENCES
from pydantic import ValidationError

from tuneworks.factory.errors import MissingExtra
from tuneworks.factory.record import SCHEMA, Answer, Message, Record, to_table
from tuneworks.factory.seeds import read_seeds
from tuneworks.filters.language import Language, prose, recognised
from tuneworks.filters.scripts import LANGUAGES, SHARED, SOLE, main_script, scripts_of

ENGLISH = "Explain in a few words how a steam engine works."
CHINESE = "请用几句话说明蒸汽机是怎样工作的。"
FRENCH = "Explique en quelques mots comment fonctionne une machine à vapeur."
RUSSIAN = "Объясни в нескольких словах, как работает паровая машина."


def reasons(language: Language, *records: Record) -> list[str | None]:
    return language.reject(language.measure(to_table(records))).to_list()


def told(*texts: str) -> list[str | None]:
    return recognised(prose(pl.Series(texts)), frozenset(SHARED))["language"].to_list()


@pytest.mark.parametrize("language", SENTENCES)
def test_sentences_of_twelve_languages(language: str) -> None:
    """At most one of fifteen is taken for another language, and none with confidence."""
    judged = recognised(prose(pl.Series(SENTENCES[language].split("\n"))), frozenset(SHARED))
    assert (judged["language"] == language).sum() >= 14
    assert judged.filter((pl.col("confidence") >= 0.7) & (pl.col("language") != language)).is_empty()


@pytest.mark.parametrize(("name", "language"), [("builtin", "en"), ("builtin-zh", "zh")])
def test_the_builtin_seeds_are_in_their_language(name: str, language: str) -> None:
    records = read_seeds(name, "seeds")
    both, prompts = (reasons(Language(keep=(language,), of=of), *records) for of in ("both", "prompt"))
    assert sum(r is not None for r in prompts) <= 1, "one task has an input in another language"
    assert sum(r is not None for r in both) <= 0.05 * len(records), "and a few are translations"


def test_a_text_in_another_language_goes_with_what_decided() -> None:
    asked = [Record.born(ENGLISH, answers=[Answer(text)]) for text in (ENGLISH, CHINESE, FRENCH, RUSSIAN)]
    stays, chinese, french, russian = reasons(Language(keep=("en",)), *asked)
    assert stays is None
    assert chinese == "the answer is in zh (1.0), not in en"
    assert french is not None and french.startswith("the answer is in fr (")
    assert russian == "the answer is in Cyrillic letters (1.0), not in en"
    assert reasons(Language(keep=("en", "zh", "fr", "ru")), *asked) == [None] * 4
    assert reasons(Language(keep=("en",), of="prompt"), *asked) == [None] * 4


def test_where_only_scripts_of_their_own_are_kept_letters_decide() -> None:
    chinese = Language(keep=("zh",))
    assert reasons(chinese, Record.born(CHINESE), Record.born(FRENCH)) == [
        None,
        "the prompt is in Latin letters (1.0), not in zh",
    ]
    measures = chinese.measure(to_table([Record.born(FRENCH)]))
    assert measures.row(0, named=True)["prompt_language"] is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "42",
        "Paris",
        "你好",
        "x = (-b ± √(b² - 4ac)) / 2a",
        "12 + 30 = 42; 7 * 6 = 42",
        "https://www.alongaddress.org/with/many/english/words/in/it",
        "def total(numbers):\n    result = 0\n    for number in numbers:\n        result += number\n    return result",
        "```\nthe words inside of a fence are code for all we know\n```",
        "```python\nprint('a fence that is never closed has no language either')",
        "SELECT name, age\nFROM customers\nWHERE age BETWEEN 20 AND 30\nORDER BY name",
        'int main() {\n    printf("hello, dear world");\n    return 0;\n}',
        "<html><body class='some words here'></body></html>",
        "\\[ \\text{where the force is} = \\frac{m}{a} \\]",
        "🎉🎉🎉 😀",
    ],
)
def test_code_numbers_formulas_and_very_short_texts_have_no_language(text: str) -> None:
    assert told(text) == [None]
    for keep in ("zh", "en"):
        assert reasons(Language(keep=(keep,), of="answer"), Record.born("x", answers=[Answer(text)])) == [None]


def test_a_text_around_code_is_judged() -> None:
    code = "\n```python\nprint(1)\n```\n"
    assert told(FRENCH + code, CHINESE + code, ENGLISH + code) == ["fr", "zh", "en"]


def test_a_quotation_does_not_count() -> None:
    assert told(f'Translate the sentence "{FRENCH}" into English.', "把“Where is the nearest station”译成中文吧") == [
        "en",
        "zh",
    ]


def test_mixed_scripts() -> None:
    assert told("用 Python pandas 读取 CSV 文件，然后画图") == ["zh"]
    assert told("What does the Chinese word 你好 mean?") == ["en"]
    assert told("東京タワーの高さを教えてください") == ["ja"]
    assert told("这家店名叫优の良品，卖各种零食和糖果，价格也不算贵") == ["zh"]
    assert told("서울에서 가장 높은 건물은 무엇입니까") == ["ko"]


def test_answers_in_another_language_than_asked() -> None:
    both = Language(keep=("en", "zh"), same=True)
    mixed = Record.born(CHINESE, answers=[Answer(ENGLISH)])
    reason = reasons(both, mixed)[0]
    assert reason is not None and reason.startswith("the answer is in en (") and reason.endswith("), the prompt in zh")
    assert reasons(both, Record.born(CHINESE, answers=[Answer("42")]), Record.born(CHINESE)) == [None, None]
    assert reasons(Language(keep=("en", "zh")), mixed) == [None]


def test_a_doubtful_text_stays() -> None:
    doubtful = Record.born("Por que os gatos dormem tantas horas por dia?")
    confidence = Language(keep=("pt",)).measure(to_table([doubtful]))["prompt_confidence"].item()
    assert reasons(Language(keep=("en",), least=confidence), doubtful) != [None]
    assert reasons(Language(keep=("en",), least=min(1, confidence + 0.01)), doubtful) == [None]


def test_the_last_question_and_the_best_answer_count() -> None:
    talk = [Message("user", FRENCH), Message("assistant", FRENCH), Message("user", ENGLISH)]
    answers = [Answer(FRENCH, scores={"reward": 1}), Answer(ENGLISH, scores={"reward": 2})]
    assert reasons(Language(keep=("en",)), Record.born(talk, answers=answers)) == [None]


@pytest.mark.parametrize("options", [{}, {"keep": []}, {"keep": ["xx"]}, {"keep": ["en"], "least": 1.1}])
def test_options_that_cannot_be(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Language.model_validate(options)


def test_an_unknown_language_is_told_which_there_are() -> None:
    with pytest.raises(ValidationError, match="there is no language 'zh-CN'; there are: af, am, ar"):
        Language(keep=("zh-CN",))


def test_every_language_has_a_script_and_py3langid_knows_those_of_shared_ones() -> None:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    known = LanguageIdentifier.from_model_file(MODEL_FILE).labels
    assert all(set(languages) <= set(known) for languages in SHARED.values())
    assert all(scripts_of(language) for language in LANGUAGES) and scripts_of("sr") == {"Latin", "Cyrillic"}
    assert len(set(SOLE.values())) == len(SOLE)


LETTERS = {
    "a": "Latin",
    "é": "Latin",
    "я": "Cyrillic",
    "ب": "Arabic",
    "中": "Han",
    "は": "Kana",
    "한": "Hangul",
    "θ": "Greek",
}
NONE = "1 .,_🎉!\n"


@given(st.text(st.sampled_from([*LETTERS, *NONE]), max_size=20))
def test_the_main_script_is_that_of_most_letters(text: str) -> None:
    weights = {script: 3 if script in ("Han", "Kana", "Hangul") else 1 for script in LETTERS.values()}
    counts = dict.fromkeys(weights, 0)
    for character in text:
        if script := LETTERS.get(character):
            counts[script] += weights[script]
    east = counts["Han"] + counts["Kana"]
    kana = counts["Kana"] > 0.1 * east
    counts["Han"], counts["Kana"] = (0, east) if kana else (east, 0)
    (row,) = main_script(pl.Series([text])).to_dicts()
    assert row["letters"] == sum(counts.values())
    if row["letters"]:
        assert counts[row["script"]] == max(counts.values())
        assert row["share"] == pytest.approx(max(counts.values()) / row["letters"])
    else:
        assert row["script"] is None and row["share"] is None


def test_the_package_is_needed_only_where_scripts_do_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid", None)
    Language(keep=("zh", "ja", "th")).check()
    with pytest.raises(MissingExtra, match=r"to know 'en' from other languages, .* \"tuneworks\[language\]\""):
        Language(keep=("zh", "en")).check()


@given(st.lists(st.sampled_from([ENGLISH, CHINESE, FRENCH, RUSSIAN, "42", ""]), max_size=8))
def test_measures_do_not_depend_on_the_batch(texts: list[str]) -> None:
    language = Language(keep=("en", "zh"))
    table = to_table(Record.born(text, answers=[Answer(text)]) for text in texts)
    slices = [language.measure(table[i : i + 3]) for i in range(0, len(texts), 3)]
    whole = language.measure(table)
    assert whole.height == len(texts) and (not slices or whole.equals(pl.concat(slices)))


def test_measures_survive_parquet(tmp_path: Path) -> None:
    language = Language(keep=("en",))
    whole = language.measure(to_table([Record.born(ENGLISH, answers=[Answer(CHINESE)]), Record.born("42")]))
    whole.write_parquet(tmp_path / "measures.parquet")
    stored = pl.read_parquet(tmp_path / "measures.parquet")
    assert (
        language.reject(stored).to_list()
        == language.reject(whole).to_list()
        == [
            "the answer is in zh (1.0), not in en",
            None,
        ]
    )


def test_empty_and_null_tables_and_a_long_text() -> None:
    language = Language(keep=("en",))
    assert reasons(language) == []
    nothing = to_table([Record.born(ENGLISH)]).with_columns(
        prompt=pl.lit(None, dtype=SCHEMA["prompt"]), answers=pl.lit(None, dtype=SCHEMA["answers"])
    )
    assert language.reject(language.measure(nothing)).to_list() == [None]
    hollow = Record.born(ENGLISH, answers=[Answer("x")])
    table = to_table([hollow]).with_columns(
        answers=pl.lit([{"text": None, "by": "", "scores": []}], dtype=SCHEMA["answers"])
    )
    assert language.reject(language.measure(table)).to_list() == [None]
    long = [Record.born(text * (5_000_000 // len(text))) for text in (ENGLISH, CHINESE, "`", "$", "\"'", "a.", "<")]
    assert [r is None for r in reasons(language, *long)] == [True, False, *[True] * 5]
