"""The secrets filter: keys of every make are found, what stands in for one is not, and none is written down."""

import base64
import json
import random
import string
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneworks.factory.record import SCHEMA, Answer, Record, to_table
from tuneworks.filters.credentials import WORTH, Secrets, search
from tuneworks.filters.privacy.randomness import entropy, looks_random, stands_in

WORD = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
DIGITS = "123456789"
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def drawn(seed: int, alphabet: str, length: int) -> str:
    return "".join(random.Random(seed).choices(alphabet, k=length))


def part(**content: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


# Put together here, so that no line of this file looks like a key to whoever searches files for keys.
FORMS: dict[str, Callable[[int], str]] = {
    "openai": lambda seed: "sk-" + drawn(seed, WORD, 20) + "T3" + "BlbkFJ" + drawn(seed + 1, WORD, 20),
    "anthropic": lambda seed: "sk-" + "ant-api03-" + drawn(seed, WORD + "-_", 93) + "AA",
    "openrouter": lambda seed: "sk-" + "or-v1-" + drawn(seed, HEX, 64),
    "aws": lambda seed: "AK" + "IA" + drawn(seed, BASE32, 16),
    "github": lambda seed: "gh" + "p_" + drawn(seed, WORD, 36),
    "gitlab": lambda seed: "gl" + "pat-" + drawn(seed, WORD, 20),
    "hugging_face": lambda seed: "h" + "f_" + drawn(seed, WORD, 34),
    "google": lambda seed: "AI" + "za" + drawn(seed, WORD, 35),
    "slack": lambda seed: (
        "xo" + f"xb-{drawn(seed, '123456789', 12)}-{drawn(seed, '123456789', 12)}-{drawn(seed, WORD, 24)}"
    ),
    "stripe": lambda seed: "sk" + "_live_" + drawn(seed, WORD, 24),
    "npm": lambda seed: "np" + "m_" + drawn(seed, WORD, 36),
    "sendgrid": lambda seed: "S" + f"G.{drawn(seed, WORD, 22)}.{drawn(seed + 1, WORD, 43)}",
    "telegram": lambda seed: drawn(seed, DIGITS, 10) + ":A" + "A" + drawn(seed, WORD, 33),
    "jwt": lambda seed: f"{part(alg='HS256')}.{part(sub=drawn(seed, WORD, 9))}.{drawn(seed, WORD, 43)}",
    "private_key": lambda seed: (
        "-----BEGIN RSA " + "PRIVATE KEY-----\n" + drawn(seed, WORD, 64) + "\n" + drawn(seed + 1, WORD, 64)
    ),
    "url_password": lambda seed: f"postgres://maria:{drawn(seed, WORD, 24)}@db.firm.io:5432/main",
    "assigned": lambda seed: f'"client_secret": "{drawn(seed, WORD, 40)}"',
}


@pytest.mark.parametrize("kind", FORMS)
def test_keys_of_every_make_are_found(kind: str) -> None:
    """Of a hundred drawn keys at most a few pass for a word or a pattern."""
    texts = [f"Use {FORMS[kind](seed)} to log in." for seed in range(100)]
    assert sum([f.kind for f in search(text)] == [kind] for text in texts) >= 92
    assert pl.DataFrame({"text": texts}).filter(WORTH).height == 100


@pytest.mark.parametrize(
    "written",
    [
        "password = '{}'", 'PASSWORD: "{}"', '"api_key" : "{}"', "api-key='{}'", "export API_KEY={}", "token: {}",
        "aws_secret_access_key = {}", "auth_token={}", "密码：“{}”", 'SECRET_KEY = "{}"', 'secret := "{}"',
        'access_token => "{}"',
    ],
)  # fmt: skip
def test_values_assigned_to_a_name_are_found(written: str) -> None:
    values = [drawn(seed, WORD, 40) for seed in range(50)]
    assert sum([f.kind for f in search(written.format(value))] == ["assigned"] for value in values) >= 45
    assert pl.DataFrame({"text": [written.format(values[0])]}).filter(WORTH).height == 1


@pytest.mark.parametrize(
    "text",
    [
        "password = 'your_password'; password = \"hunter2\"; pwd='changeme'; passwd = \"P@ssw0rd123\"",
        'password = "correct-horse-battery-staple", PASSWORD="Tr0ub4dor&3", "password": "pa$$w0rd"',
        "password = input('Enter it: '), password = os.environ.get('DATABASE_PASSWORD'), token = get_token(user_id)",
        "api_key = 'YOUR_API_KEY_HERE_1234567890', api_key = \"sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"",
        "sk-..., sk-your-key-123456789012, hf_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "AKIAIOSFODNN7EXAMPLE; secret_key = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx, AIzaSyEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAM",
        "<token>${API_TOKEN}</token>, token: {{ secrets.DEPLOY_TOKEN }}, api_key=${process.env.OPENAI_API_KEY}",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE... (your key)",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo",
        "postgres://user:password@localhost/db, mysql://root:secret@db:3306, https://user:pass@example.com, redis://a:b@c",
        "postgres://postgres:postgres@db/app and http://host:8080/path@2x",
        "The secret: honesty. Token = 'identification_number', secret = 'the quick brown fox', key = \"name\"",
        "git commit 9fceb02d0ae598e95dc970b74767f19372d61af8, sha1 = 'da39a3ee5e6b4b0d3255bfef95601890afd80709'",
        "A random password could be x7#Kp!2mQz9$ or vT4&nW8@bR1^.",
        "sk-learn, sk-toolbar-menu, task-management-software-2023, disk-partitioning-and-formatting-tools1",
    ],
)
def test_what_stands_in_for_a_secret_is_none(text: str) -> None:
    assert list(search(text)) == []


def test_a_token_that_manuals_print_is_none() -> None:
    header, body = part(alg="HS256", typ="JWT"), part(sub="1234567890", name="John Doe")
    assert list(search(f"{header}.{body}.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c")) == []


def reasons(secrets: Secrets, *records: Record) -> list[str | None]:
    return secrets.reject(secrets.measure(to_table(records))).to_list()


def test_the_reason_names_kind_and_place_and_none_of_the_value() -> None:
    key, other = FORMS["github"](1), FORMS["aws"](2)
    record = Record.born("How do I log in?", answers=[Answer("So."), Answer(f"With {key}, or {other}.")])
    assert reasons(Secrets(), record, Record.born(f"Is {other} mine?"), Record.born("Is it?")) == [
        "a GitHub token gh*** at character 5 of answer 2, and 1 more",
        "an AWS access key *** at character 3 of the prompt",
        None,
    ]
    measures = Secrets().measure(to_table([record]))
    assert Secrets(of="prompt").reject(measures).to_list() == [None]
    assert Secrets(of="answer").reject(measures).null_count() == 0


@pytest.mark.parametrize("kind", FORMS)
def test_no_measure_holds_a_part_of_a_key(kind: str) -> None:
    text = FORMS[kind](7)
    (finding,) = search(text)
    said = str(Secrets().measure(to_table([Record.born(text)])).to_dicts())
    value = text[finding.start :]
    assert all(value[i : i + 6] not in said for i in range(10, len(value) - 6))


@given(st.text(max_size=40))
def test_entropy_is_between_none_and_that_of_all_different_characters(text: str) -> None:
    assert 0 <= entropy(text) <= 5.33
    assert entropy(text) == pytest.approx(entropy(text[::-1]))
    assert (entropy(text) < 1e-9) == (len(set(text)) < 2)


@pytest.mark.parametrize("length", [20, 32, 64])
def test_random_values_look_random_and_words_do_not(length: int) -> None:
    drawn_ones = [drawn(seed, WORD, length) for seed in range(500)]
    assert sum(looks_random(value, least=10) for value in drawn_ones) >= 460
    assert sum(stands_in(value) for value in drawn_ones) <= 10
    words = [
        "MyDatabasePassword2024!",
        "thequickbrownfoxjumps",
        "superSecretValue#1",
        "ConfigurationManager1",
        "a" * length,
    ]
    assert not any(looks_random(word, least=8) for word in words)


@pytest.mark.parametrize(
    "piece", ["1", "@", "a.", "a", "sk-", "sk-a1", "eyJ", "eyJaaaaaaaaa.", "://a:b", "password=", "= '", "=a"]
)
def test_time_grows_with_the_length_alone(piece: str) -> None:
    """With anything worse a million characters would take hours."""
    assert list(search(piece * (1_000_000 // len(piece)))) == []


@pytest.mark.parametrize("piece", ["1", "@", "a.", "password="])
def test_five_megabytes(piece: str) -> None:
    assert reasons(Secrets(), Record.born(piece * (5_000_000 // len(piece)))) == [None]


def test_surrogates_alone_are_no_obstacle() -> None:
    assert [f.kind for f in search(f"\ud800 {FORMS['github'](3)} \udfff")] == ["github"]


@given(st.lists(st.sampled_from(["", "None.", *(form(3) for form in FORMS.values())]), max_size=8))
def test_measures_do_not_depend_on_the_batch(texts: list[str]) -> None:
    secrets = Secrets()
    table = to_table(Record.born(text, answers=[Answer(text)]) for text in texts)
    slices = [secrets.measure(table[i : i + 3]) for i in range(0, len(texts), 3)]
    whole = secrets.measure(table)
    assert whole.height == len(texts) and (not slices or whole.equals(pl.concat(slices)))


def test_measures_survive_parquet(tmp_path: Path) -> None:
    secrets = Secrets()
    whole = secrets.measure(to_table([Record.born(FORMS["google"](1)), Record.born("none")]))
    whole.write_parquet(tmp_path / "measures.parquet")
    stored = pl.read_parquet(tmp_path / "measures.parquet")
    assert secrets.reject(stored).to_list() == ["a Google key AIza*** at character 0 of the prompt", None]


def test_empty_and_null_tables() -> None:
    secrets = Secrets()
    assert reasons(secrets) == []
    table = to_table([Record.born(FORMS["aws"](1), answers=[Answer("x")])])
    no_text = pl.lit([{"text": None, "by": "", "scores": []}], dtype=SCHEMA["answers"])
    nothing = table.with_columns(prompt=pl.lit(None, dtype=SCHEMA["prompt"]), answers=no_text)
    assert secrets.reject(secrets.measure(nothing)).to_list() == [None]


@pytest.mark.parametrize("options", [{"of": "system"}, {"kinds": ["aws"]}])
def test_options_that_cannot_be(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Secrets.model_validate(options)
