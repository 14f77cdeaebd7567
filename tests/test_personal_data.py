"""The personal data filter: real ones are found, documentation and other numbers are not, and nothing leaks."""

import random
import re
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneworks.factory.record import SCHEMA, Answer, Message, Record, to_table
from tuneworks.filters.personal_data import WORTH, PersonalData, search

FOUND = [
    ("email", "Write to maria.kowalska@onet.pl today."),
    ("email", "邮箱：zhang.wei88@163.com，谢谢"),
    ("email", "<Rosa.Klein+news@mail.uni-koeln.de>"),
    ("email", "barbara@hotmail.com"),
    ("phone", "(212) 684-4700"),
    ("phone", "502-294-8258"),
    ("phone", "call 1-646-294-8258 now"),
    ("phone", "+1 917 444 6321"),
    ("phone", "Tel. +49 30 9018 2245"),
    ("phone", "+33 6 71 28 93 05"),
    ("phone", "01 42 68 53 09"),
    ("phone", "020 7219 4272"),
    ("phone", "07911 284 736"),
    ("phone", "+86 139 1082 7364"),
    ("phone", "张三，13910827364"),
    ("phone", "手机号：186-1082-7364"),
    ("phone", "电话 0571-87204193"),
    ("phone", "My phone number is 612 845 309."),
    ("phone", "Telefon: 0171 2846739"),
    ("ip", "The visitor came from 203.58.17.142."),
    ("ip", "ssh root@host, IP address 81.2.69.160"),
    ("ip", "2a02:8109:9ac0:15c4:1d2b:77ff:fe42:9c01"),
    ("card", "4539 1488 0343 6467"),
    ("card", "My Visa card is 4539148803436467."),
    ("card", "3714-496353-98432 or 3742-454554-00126"),
    ("iban", "IBAN DE75 5121 0800 1245 1261 99 BIC SOGEDEFF"),
    ("iban", "ES7921000813610123456789"),
    ("resident_id", "身份证号510104198908123033。"),
    ("ssn", "859-56-0028"),
]


@pytest.mark.parametrize(("kind", "text"), FOUND)
def test_what_leads_to_a_person_is_found(kind: str, text: str) -> None:
    assert [finding.kind for finding in search(text)] == [kind]
    assert pl.DataFrame({"text": [text]}).filter(WORTH).height == 1


@pytest.mark.parametrize(
    "text",
    [
        "test@gmail.com, john.doe@example.com, you@your-domain.com, someone@firm.example, a@b.co",
        "info@siemens.com, support@apple.com, no-reply@github.com, git@github.com:owner/name.git",
        "postgres://maria:geheim@db.corp.io/main and ssh://6871fb@ssh.host.jobs",
        "x@y, P@ssw0rd8#, @property, user@localhost, actions/checkout@v2, jacob.benson@gmail,com",
        "(212) 555-0143, 212-555-1234, (555) 123-4567, 123-456-7890, 234-567-8901, 222-222-2222",
        "1-800-362-0101, 888-273-8255, 911, 95588, 400-820-8820",
        "020 7946 0958, 01632 960983, 07700 900461",
        "1234567890 is divisible by 10; compute 9876543210 - 13579246810",
        "13910827364 + 5, and 500-200-1000 = -700",
        "139108273640, 3.13910827364, 13910827364元, 约有13910827364人",
        "请拨打13800000000或13812345678",
        "2019-2024, 2023-01-05, 01/02/2003, 12:30:45, 1998-99, 01.02.2003 04.05.2006",
        "ISBN 978-3-16-148410-0, ISBN: 0-306-40615-2, ISSN 0317-8471, DOI 10.1000/182",
        "+2147483647, -2147483648, 3.14159265358979, 1,234,567,890, 01 02 03 04 05, 48 b9 01 20 00 04 80",
        "version 1.2.3.4, v10.112.230.4, Chrome/91.0.4472.124, section 4.3.2.1.1, 12.1.3.9",
        "10.0.0.1, 192.168.255.0, 127.0.0.1, 192.0.2.17, 198.51.100.3, 203.0.113.9, 255.255.255.0, 8.8.8.8",
        "x[1::2], std::string, ::1, fe80::1, 2001:db8::1, 00:1A:2B:3C:4D:5E, 12:34:56:78",
        "4111 1111 1111 1111, 4242424242424242, 5555-5555-5555-4444, 378282246310005, 4539 1488 0343 6468",
        "default_rng(4539148803436467)",
        "GB82 WEST 1234 5698 7654 32, DE75 5121 0800 1245 1261 98, AB12 3456 7890 1234",
        "11010519491231002X, 510104198908123032, 510104198913123033",
        "123-45-6789, 078-05-1120, 000-12-3456, 666-12-3456, 900-12-3456, 859-00-1234, 859-56-0000",
    ],
)
def test_documentation_and_other_numbers_are_nobodys(text: str) -> None:
    assert list(search(text)) == []


def luhn_digit(body: str) -> str:
    total = sum(sum(divmod(int(d) * 2, 10)) if i % 2 == 0 else int(d) for i, d in enumerate(reversed(body)))
    return str(-total % 10)


def run(digits: str) -> bool:
    """Five digits in a row that rise, fall or stay, round the corner too: those are made up."""
    marks = ["0123456789" * 2, "9876543210" * 2, *(d * 5 for d in "0123456789")]
    return any(digits[i : i + 5] in mark for i in range(len(digits) - 4) for mark in marks)


@given(st.sampled_from(["4", "51", "2221", "6011", "3530"]), st.randoms())
def test_a_card_number_is_found_and_one_with_a_wrong_digit_is_not(prefix: str, dice: random.Random) -> None:
    body = prefix + "".join(dice.choices("0123456789", k=15 - len(prefix)))
    digits = body + luhn_digit(body)
    assume(not run(digits))
    grouped = " ".join(digits[i : i + 4] for i in range(0, 16, 4))
    assert [f.kind for f in search(f"Pay with {grouped}.")] == ["card"]
    assert [f.kind for f in search(f"my credit card {digits}")] == ["card"]
    wrong = digits[:-1] + str((int(digits[-1]) + dice.randint(1, 9)) % 10)
    assert [f.kind for f in search(f"my credit card {wrong}") if f.kind == "card"] == []


@given(st.sampled_from(["DE", "FR", "GB", "NL", "PL"]), st.randoms())
def test_an_iban_is_found_and_one_with_a_wrong_digit_is_not(country: str, dice: random.Random) -> None:
    length = {"DE": 22, "FR": 27, "GB": 22, "NL": 18, "PL": 28}[country]
    account = "".join(dice.choices("0123456789", k=length - 4))
    check = 98 - int(f"{account}{''.join(str(ord(c) - 55) for c in country)}00") % 97
    iban = f"{country}{check:02}{account}"
    spaced = " ".join(iban[i : i + 4] for i in range(0, length, 4))
    for written in (iban, spaced, f"{spaced} BIC ABCDEF", f"({iban})"):
        assert [f.kind for f in search(written)] == ["iban"]
    wrong = iban[:-1] + str((int(iban[-1]) + dice.randint(1, 9)) % 10)
    assert "iban" not in [f.kind for f in search(wrong)]


def resident(province: str, day: date, serial: int) -> str:
    body = f"{province}0104{day:%Y%m%d}{serial:03}"
    rest = sum(2 ** (17 - i) * int(d) for i, d in enumerate(body)) % 11
    return body + "10X98765432"[rest]


@given(st.sampled_from(["11", "31", "44", "51"]), st.dates(date(1900, 1, 1), date(2030, 1, 1)), st.integers(0, 999))
def test_a_resident_identity_number_is_found_and_one_with_a_wrong_digit_is_not(
    province: str, day: date, serial: int
) -> None:
    number = resident(province, day, serial)
    assert [f.kind for f in search(f"身份证号码：{number}，")] == ["resident_id"]
    assert [f.kind for f in search(number.lower())] == ["resident_id"]
    wrong = "10X98765432"["10X98765432".index(number[-1]) - 1]
    assert list(search(number[:-1] + wrong)) == []


@given(st.integers(1, 899), st.integers(1, 99), st.integers(1, 9999))
def test_a_social_security_number_is_found(area: int, group: int, serial: int) -> None:
    number = f"{area:03}-{group:02}-{serial:04}"
    assume(area != 666 and not run(number.replace("-", "")) and number not in ("078-05-1120", "219-09-9999"))
    assume(number != "457-55-5462")
    assert [f.kind for f in search(f"SSN {number}.")] == ["ssn"]
    assert [*search(f"{number}1"), *search(f"1{number}"), *search(f"{number}-1")] == []


def test_random_digits_are_not_flagged_above_chance() -> None:
    """Of 2,000 numbers of each length, bare or grouped as a card: one in a hundred of the latter is a card."""
    dice = random.Random(0)
    for length in range(7, 25):
        numbers = ["".join(dice.choices("0123456789", k=length)) for _ in range(2000)]
        assert sum(bool(list(search(f"Compute {n} modulo 7"))) for n in numbers) <= 1
        assert sum(bool(list(search(f"{n} = 3 * x"))) for n in numbers) <= 1
    cards = [" ".join("".join(dice.choices("0123456789", k=4)) for _ in range(4)) for _ in range(2000)]
    assert sum(bool(list(search(n))) for n in cards) <= 80


def reasons(personal: PersonalData, *records: Record) -> list[str | None]:
    return personal.reject(personal.measure(to_table(records))).to_list()


def test_the_reason_names_kind_and_place_with_the_value_masked() -> None:
    answers = [Answer("none"), Answer("Ask jacob.benson@gmail.com or sam@hotmail.com, 502-294-8258")]
    talk = [Message("system", "You are Bo."), Message("user", "I am at 81.2.69.160, my IP."), Message("user", "Mail?")]
    assert reasons(
        PersonalData(),
        Record.born("Whom do I ask?", answers=answers[1:]),
        Record.born("Whom do I ask?", answers=answers),
        Record.born([*talk[:1], Message("user", "My IP is 81.2.69.160.")], answers=answers),
        Record.born("Who is maria.kowalska@onet.pl?"),
        Record.born(talk[0:1]),
    ) == [
        "an e-mail address j***@g***.com at character 4 of the answer, and 2 more",
        "an e-mail address j***@g***.com at character 4 of answer 2, and 2 more",
        "an IP address 8*** at character 9 of message 2 of the prompt, and 3 more",
        "an e-mail address m***@o***.pl at character 7 of the prompt",
        None,
    ]


def test_kinds_and_place_are_decided_without_measuring_again() -> None:
    record = Record.born("My SSN is 859-56-0028.", answers=[Answer("Write to jacob.benson@gmail.com, 502-294-8258.")])
    measures = PersonalData().measure(to_table([record]))
    assert PersonalData(kinds=("phone",)).reject(measures).to_list() == [
        "a phone number ***58 at character 33 of the answer"
    ]
    assert PersonalData(of="prompt").reject(measures).to_list() == [
        "a social security number ***28 at character 10 of the prompt"
    ]
    assert PersonalData(of="prompt", kinds=("email",)).reject(measures).to_list() == [None]
    assert PersonalData(kinds=("card", "iban")).reject(measures).to_list() == [None]


@pytest.mark.parametrize(("kind", "text"), FOUND)
def test_no_measure_holds_a_value(kind: str, text: str) -> None:
    personal = PersonalData()
    said = str(personal.measure(to_table([Record.born(text)])).to_dicts())
    finding = next(iter(search(text)))
    value = re.split(r"[\s，。<>]+(?![\d(-])", text[finding.start :])[0]
    assert all(value[i : i + 5] not in said for i in range(len(value) - 4))


@given(st.from_regex(r"[a-z0-9]{1,3}(\.[a-z]{1,3})?@[a-z]{1,3}\.(co|de|info)", fullmatch=True))
def test_short_addresses_are_masked_too(address: str) -> None:
    name, _, host = address.rpartition(".")[0].partition("@")
    for finding in search(address):
        shown = finding.shown.removeprefix("an e-mail address ").rpartition(".")[0]
        for word, left in zip((name, host), shown.split("@"), strict=True):
            assert left == "***" if len(word) < 3 else left == f"{word[0]}***"


@pytest.mark.parametrize(
    "piece", ["1", "1 ", "12-", "@", "a@", "a.", "a.a@", "+1", "+", "(", "1.", "12.1.", "2001:", "AA00 ", "0"]
)
def test_time_grows_with_the_length_alone(piece: str) -> None:
    """With anything worse a million characters would take hours."""
    assert list(search(piece * (1_000_000 // len(piece)))) == []


@pytest.mark.parametrize("piece", ["1", "@", "a."])
def test_five_megabytes(piece: str) -> None:
    assert reasons(PersonalData(), Record.born(piece * (5_000_000 // len(piece)))) == [None]


def test_surrogates_alone_are_no_obstacle() -> None:
    assert [f.kind for f in search("\ud800 maria.kowalska@onet.pl \udfff")] == ["email"]


@given(st.lists(st.sampled_from(["", "None here.", *(text for _, text in FOUND)]), max_size=8))
def test_measures_do_not_depend_on_the_batch(texts: list[str]) -> None:
    personal = PersonalData()
    table = to_table(Record.born(text, answers=[Answer(text)]) for text in texts)
    slices = [personal.measure(table[i : i + 3]) for i in range(0, len(texts), 3)]
    whole = personal.measure(table)
    assert whole.height == len(texts) and (not slices or whole.equals(pl.concat(slices)))


def test_measures_survive_parquet(tmp_path: Path) -> None:
    personal = PersonalData()
    whole = personal.measure(to_table([Record.born("502-294-8258"), Record.born("none")]))
    whole.write_parquet(tmp_path / "measures.parquet")
    stored = pl.read_parquet(tmp_path / "measures.parquet")
    assert personal.reject(stored).to_list() == ["a phone number ***58 at character 0 of the prompt", None]


def test_empty_and_null_tables() -> None:
    personal = PersonalData()
    assert reasons(personal) == []
    table = to_table([Record.born("502-294-8258", answers=[Answer("x")])])
    no_text = pl.lit([{"text": None, "by": "", "scores": []}], dtype=SCHEMA["answers"])
    nothing = table.with_columns(prompt=pl.lit(None, dtype=SCHEMA["prompt"]), answers=no_text)
    assert personal.reject(personal.measure(nothing)).to_list() == [None]
    gone = table.with_columns(answers=pl.lit(None, dtype=SCHEMA["answers"]))
    assert personal.reject(personal.measure(gone)).null_count() == 0


@pytest.mark.parametrize("options", [{"kinds": []}, {"kinds": ["name"]}, {"of": "system"}, {"mask": True}])
def test_options_that_cannot_be(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PersonalData.model_validate(options)
