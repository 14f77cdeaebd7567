"""Pushing a run's dataset to the Hub: what would go, and the push itself, in one commit."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tuneworks.factory.errors import InputError, TuneworksError
from tuneworks.pipelines.dataset import CARD
from tuneworks.pipelines.hub.client import (
    LOGIN,
    PUSH_AGAIN,
    HubBusy,
    answered,
    client,
    in_sentences,
    logged_in,
    no_name,
)
from tuneworks.pipelines.hub.release import Release, release
from tuneworks.pipelines.hub.remote import OnHub, is_there, on_hub
from tuneworks.pipelines.hub.upload import calm, commit

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Change = Literal["new", "changed", "same", "deleted", "unknown"]

_NAME = re.compile(r"[A-Za-z0-9_](?!.*(?:--|\.\.))[\w.-]*/[A-Za-z0-9_][\w.-]*", re.ASCII)

ATTEMPTS = 5
"""Of a push that breaks off for a reason that may pass; each goes on where the one before it stopped."""


NEEDS_LOGIN = f"a push needs a login at the Hub; {LOGIN}"


@dataclass(frozen=True, slots=True)
class Planned:
    name: str
    size: int
    change: Change


@dataclass(frozen=True, slots=True)
class Plan:
    """What a push would do."""

    url: str
    files: tuple[Planned, ...]
    stay: tuple[str, ...]
    """Files in dataset/ that the manifest does not name; they would not go."""
    stands_against: str | None
    """Why a push would stop, or why it is not known what the Hub has."""


@dataclass(frozen=True, slots=True)
class Pushed:
    url: str
    commit: str
    files: int
    """How many went or were deleted; 0 where the Hub had it all."""
    bytes: int


def planned(folder: Path, repo: str) -> Plan:
    """What would go. The files alone where the Hub cannot be asked; raises InputError where they may not go."""
    api, going = client(), release(folder)
    check_name(repo)
    there, against = None, None
    try:
        with in_sentences(api, repo, f"the push to {repo}", PUSH_AGAIN):
            there = on_hub(api, repo)
            against = _refusal(going.run, there, repo) if there else None
    except TuneworksError as error:
        unknown = tuple(Planned(file.name, file.size, "unknown") for file in going.files)
        return Plan(_url(api, repo), unknown, going.stay, str(error))
    if against is None and not logged_in():
        against = NEEDS_LOGIN
    return Plan(_url(api, repo), tuple(_changes(going, there)), going.stay, against)


def push(
    folder: Path, repo: str, *, public: bool = False, overwrite: bool = False, told: Callable[[str], None]
) -> Pushed:
    """Make the repo where there is none, and commit what changed. Broken off at any moment and repeated, it ends the
    same: nothing shows in the repo before the one commit, and content that was sent is not sent again."""
    api, going = client(), release(folder)
    check_name(repo)
    if not logged_in():
        raise InputError(NEEDS_LOGIN)
    for name in going.stay:
        told(f"{name} stays here: the manifest does not name it")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with in_sentences(api, repo, f"the push to {repo}", PUSH_AGAIN), calm():
                return _attempt(api, going, repo, public, overwrite, told)
        except HubBusy as busy:
            if attempt == ATTEMPTS:
                raise
            wait = busy.wait if busy.wait is not None else 2.0 ** (attempt - 1)
            told(f"{str(busy).split(';')[0]}; again in {wait:.0f} s")
            time.sleep(wait)
    raise AssertionError("the last attempt returns or raises")


def check_push(repo: str, run: str, overwrite: bool) -> None:
    """Before a run that is to be pushed at its end: raises InputError for what is sure to stop the push then.

    A Hub that cannot be reached now may be there later.
    """
    api = client()
    check_name(repo)
    if not logged_in():
        raise InputError(NEEDS_LOGIN)
    try:
        with in_sentences(api, repo, f"the push to {repo}", PUSH_AGAIN), calm():
            there = on_hub(api, repo)
    except InputError as error:
        if answered(error):
            raise
        return
    against = _refusal(run, there, repo) if there else None
    if against and not overwrite:
        raise InputError(against)


def check_name(repo: str) -> None:
    """Raises InputError unless it is owner/name as the Hub writes names."""
    if _NAME.fullmatch(repo) is None or len(repo) > 96 or repo.endswith((".", "-", ".git")):
        raise InputError(no_name(repo))


def _attempt(
    api: "HfApi", going: Release, repo: str, public: bool, overwrite: bool, told: Callable[[str], None]
) -> Pushed:
    there, url = on_hub(api, repo), _url(api, repo)
    if there is None:
        api.create_repo(repo, repo_type="dataset", private=not public, exist_ok=True)
        told(f"Made the {'public' if public else 'private'} dataset {url}")
        there = on_hub(api, repo)
        if there is None:
            raise InputError(f"the Hub made {repo} and does not show it; look at the token's permissions, push again")
    elif public and there.private:
        told(f"{repo} stays private: a push does not show what was hidden; change that in its settings on the Hub")
    against = _refusal(going.run, there, repo)
    if against and not overwrite:
        raise InputError(against)
    changes = list(_changes(going, there))
    if all(change.change == "same" for change in changes):
        told(f"{url} has all of it already")
        return Pushed(url, there.commit, 0, 0)
    sent = [file for file in going.files if file.name in {c.name for c in changes if c.change in ("new", "changed")}]
    gone, size = [c.name for c in changes if c.change == "deleted"], sum(file.size for file in sent)
    told(f"{len(sent)} files, {size:,} bytes, to the {'private' if there.private else 'public'} dataset {url}")
    made = commit(api, repo, sent, gone, f"The dataset of the run {going.run}", there.commit)
    return Pushed(url, made, len(sent) + len(gone), size)


def _changes(going: Release, there: OnHub | None) -> Iterator[Planned]:
    held = there.files if there else {}
    for file in going.files:
        same: Change = "same" if is_there(file, held.get(file.name)) else "changed"
        yield Planned(file.name, file.size, same if file.name in held else "new")
    earlier = there.manifest["files"] if there and there.manifest else {}
    for name in sorted(earlier.keys() & held.keys() - {file.name for file in going.files}):
        yield Planned(name, held[name].size, "deleted")


def _refusal(run: str, there: OnHub, repo: str) -> str | None:
    """Why this push would take the place of something that it did not put there."""
    if there.empty:
        return None
    if there.manifest is None:
        return (
            f"the dataset {repo} on the Hub was not made by Tuneworks, and a push would overwrite files of it; name "
            "another repo, or add --overwrite"
        )
    if there.manifest["run"] != run:
        return (
            f"the dataset {repo} on the Hub is of the run {there.manifest['run']}, not of {run}; name another "
            "repo, or add --overwrite to put this run in its place"
        )
    if there.card_edited:
        return (
            f"{CARD} of {repo} was edited on the Hub since the last push; keep what was written there, then add "
            "--overwrite to put the run's own in its place"
        )
    return None


def _url(api: "HfApi", repo: str) -> str:
    return f"{api.endpoint}/datasets/{repo}"
