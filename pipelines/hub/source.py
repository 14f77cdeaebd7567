"""Datasets on the Hub as sources: which commit a name stands for now, and the rows that lie there."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tuneworks.factory.errors import InputError, MissingExtra
from tuneworks.factory.quoting import one_line
from tuneworks.pipelines.hub.client import answered, client, in_sentences
from tuneworks.pipelines.hub.push import check_name

_COMMIT = re.compile(r"[0-9a-f]{40}")

_THEN = "repeat it, or see on its page there whether its rows can be shown"

_ROWS = 1_000
"""Rows that are Python objects at a time; the others stay in a file on disk."""


def resolved(repo: str, revision: str | None = None) -> str:
    """The commit that a branch or tag (the main branch, without one) is now. A whole commit's hash needs no network
    where there is none: its rows may lie in the cache of `datasets`."""
    api = client()
    check_name(repo)
    try:
        with in_sentences(api, repo, f"reading {repo} on the Hub", _THEN):
            about = api.dataset_info(repo, revision=revision)
            if about.gated:
                api.auth_check(repo, repo_type="dataset")
            return str(about.sha)
    except InputError as error:
        if revision and _COMMIT.fullmatch(revision) and not answered(error):
            return revision
        raise


def check_hub(repo: str, config: str | None, split: str, revision: str | None = None) -> str:
    """Raise unless there is such a configuration and split, without downloading its rows; the commit."""
    commit = resolved(repo, revision)
    with in_sentences(client(), repo, f"reading {repo} on the Hub", _THEN), _calm():
        _builder(repo, config, split, commit)
    return commit


def rows_of_hub(repo: str, config: str | None, split: str, revision: str | None = None) -> Iterator[tuple[int, object]]:
    """(number, row) from 1, of the commit that `revision` is. No code of the repo is run. What was read once is kept by
    `datasets` in its own cache on disk; raises InputError in one sentence."""
    commit = resolved(repo, revision)
    with in_sentences(client(), repo, f"reading {repo} on the Hub", _THEN), _calm():
        rows = _prepared(_builder(repo, config, split, commit), repo, split)
        for start in range(0, len(rows), _ROWS):
            table = rows.with_format("arrow")[start : start + _ROWS]
            yield from enumerate(table.to_pylist(), start + 1)
    if not len(rows):
        raise InputError(f"the split {split} of {repo} holds no rows; name another")


def _prepared(builder: Any, repo: str, split: str) -> Any:
    """The split, as a table that lies in a file."""
    builder.download_and_prepare()
    try:
        return builder.as_dataset(split=split)
    except ValueError as error:
        known = ", ".join(builder.info.splits or ())
        raise InputError(f"{split!r} is no part of {repo} ({one_line(error)}); name one of: {known}") from error


def _builder(repo: str, config: str | None, split: str, commit: str) -> Any:
    """What reads the configuration, if that has the split."""
    builder = _loaded(repo, config, commit)
    if builder.hash != commit:  # without a network, datasets takes whatever commit its cache has
        raise InputError(
            f"the commit {commit} of {repo} is not in the cache, and the Hub cannot be reached; see to the network and "
            "repeat"
        )
    known = [str(name) for name in builder.info.splits or builder.config.data_files or ()]
    if known and re.split(r"[\[+]", split)[0] not in known:
        where = f" in its configuration {config}" if config else ""
        raise InputError(f"{repo} has no split {split!r}{where}; name one of: {', '.join(known)}")
    return builder


def _loaded(repo: str, config: str | None, commit: str) -> Any:
    datasets = _datasets()
    path = f"hf://datasets/{repo}"  # never a folder of that name that happens to lie here
    try:
        return datasets.load_dataset_builder(path, config, revision=commit)
    except datasets.exceptions.DatasetNotFoundError as error:
        raise InputError(
            f"{one_line(error).rstrip('.')}; correct the source, or log in with `hf auth login`"
        ) from error
    except (datasets.exceptions.DataFilesNotFoundError, datasets.data_files.EmptyDatasetError) as error:
        raise InputError(f"{repo} holds no data that can be read ({one_line(error)}); name another dataset") from error
    except RuntimeError as error:
        if "scripts are no longer supported" not in str(error):
            raise
        raise InputError(
            f"{repo} is read by code of its own, which is not run; name a dataset of plain files"
        ) from error
    except ValueError as error:
        names = datasets.get_dataset_config_names(path, revision=commit)
        if config in names or (config is None and len(names) < 2):
            raise
        what = "has several configurations" if config is None else f"has no configuration {config!r}"
        raise InputError(f"{repo} {what}; write config: one of {', '.join(names)}") from error


def _datasets() -> Any:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import datasets
    except ImportError as error:
        raise MissingExtra("datasets", "hub", "a source on the Hub") from error
    return datasets


@contextmanager
def _calm() -> Iterator[None]:
    """Progress bars are for a terminal."""
    datasets = _datasets()
    silenced = not sys.stderr.isatty() and datasets.is_progress_bar_enabled()
    if silenced:
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        if silenced:
            datasets.enable_progress_bars()
