"""The journal as Parquet: one typed row a call."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from tuneworks.factory.engine import Completion, Loss, Request, Usage
from tuneworks.factory.errors import InputError
from tuneworks.factory.journal import Call, Journal
from tuneworks.factory.journal.call import written
from tuneworks.factory.journal.export import COLUMNS, ROWS, export
from tuneworks.factory.record import Message

ASK = Request((Message("system", "Be brief."), Message("user", "Name a fish.")), seed=7, stop=("x",))


def test_every_call_is_a_row_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite", "small")
    reply = Completion("A carp.", "length", Usage(5, 2, 0.25), {"1": -0.5}, Loss(3.5, 4))
    journal.write([Call("k", "e", written(ASK), reply, 0.5, 1.7e9)])
    plain = written(Request((Message("user", "Hi"),)))
    calls = [Call(str(n), "e", plain, Completion(f"reply {n}"), 0.5, 1.7e9) for n in range(ROWS + 1)]
    journal.write(calls)
    into = tmp_path / "out" / "calls.parquet"
    assert export(journal.path, into) == ROWS + 2
    assert export(journal.path, into) == ROWS + 2
    journal.close()
    table = pl.read_parquet(into)
    assert table.schema == COLUMNS
    assert table.row(0, named=True) == {
        **{"key": "k", "engine": "e", "run": "small", "at": datetime.fromtimestamp(1.7e9, UTC), "seconds": 0.5},
        **{"prompt_tokens": 5, "completion_tokens": 2, "usd": 0.25, "finish": "length", "text": "A carp."},
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name a fish."}],
        "settings": '{"seed": 7, "stop": ["x"]}',
        **{"log_probs": [{"candidate": "1", "log_prob": -0.5}], "loss_nats": 3.5, "loss_tokens": 4, "times": 1},
    }
    assert table["text"].to_list()[1:] == [call.reply.text for call in calls]
    assert table.row(1, named=True)["loss_nats"] is None
    assert pl.scan_parquet(into).group_by("engine").len().collect()["len"].to_list() == [ROWS + 2]
    assert [place.name for place in into.parent.iterdir()] == ["calls.parquet"]


def test_an_empty_journal_is_a_table_without_rows(tmp_path: Path) -> None:
    Journal(tmp_path / "journal.sqlite").close()
    assert export(tmp_path / "journal.sqlite", tmp_path / "calls.parquet") == 0
    assert pl.read_parquet(tmp_path / "calls.parquet").schema == COLUMNS


def test_what_cannot_be_read_or_written_is_one_sentence_and_leaves_no_file(tmp_path: Path) -> None:
    path, into = tmp_path / "journal.sqlite", tmp_path / "calls.parquet"
    with pytest.raises(InputError, match="there is no journal"):
        export(path, into)
    journal = Journal(path)
    request = written(ASK)
    journal.write([Call(str(n), "e", request, Completion("A long reply. " * 50), 0.5, 1.7e9) for n in range(500)])
    journal.close()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"calls.parquet cannot be written .*; name another file"):
        export(path, tmp_path / "file" / "calls.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + b"?" * (len(whole) - len(whole) // 2))
    with pytest.raises(InputError, match=r"journal.sqlite cannot be read"):
        export(path, into)
    assert sorted(place.name for place in tmp_path.iterdir() if "parquet" in place.name) == []
