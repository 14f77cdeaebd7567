"""Uploading: files to the storage of the Hub, by Xet or by LFS, and the one commit that names them."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tuneworks.factory.errors import InputError
from tuneworks.pipelines.hub.release import Going

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi


def commit(api: "HfApi", repo: str, files: Sequence[Going], deleted: Sequence[str], message: str, parent: str) -> str:
    """Upload the files and commit them in one piece, on top of the commit `parent`; the new commit's hash.

    The Hub refuses it if anybody else committed since.
    """
    from huggingface_hub import CommitOperationDelete

    with ExitStack() as opened:
        streamed = not _offers_xet(api, repo)
        additions = [_addition(file, opened if streamed else None) for file in files]
        made = api.create_commit(
            repo,
            [*additions, *map(CommitOperationDelete, deleted)],
            commit_message=message,
            repo_type="dataset",
            parent_commit=parent,
        )
    return made.oid


def _addition(file: Going, opened: ExitStack | None) -> "CommitOperationAdd":
    """A file by its path, or open: the client sends open files by LFS, and others by Xet where hf_xet is installed.

    Its content is hashed once more, for a build may have written it anew since it was checked.
    """
    from huggingface_hub import CommitOperationAdd

    if opened is not None and isinstance(file.content, Path):
        addition = CommitOperationAdd(file.name, opened.enter_context(file.content.open("rb")))
    else:
        addition = CommitOperationAdd(file.name, file.content)
    if addition.upload_info.sha256.hex() != file.sha256:
        raise InputError(f"the file {file.name} is not what it was when it was checked; push again when no build runs")
    return addition


def _offers_xet(api: "HfApi", repo: str) -> bool:
    """Whether the Hub at HF_ENDPOINT takes content by Xet; mirrors of it take LFS alone."""
    from huggingface_hub import get_session, get_token, hf_raise_for_status

    url = f"{api.endpoint}/api/datasets/{repo}/xet-write-token/main"
    answer = get_session().get(url, headers={"authorization": f"Bearer {get_token()}"})
    if answer.status_code in (404, 405, 501):
        return False
    hf_raise_for_status(answer)
    return True


@contextmanager
def calm() -> Iterator[None]:
    """Progress bars are for a terminal; and that content goes by LFS is no matter for a warning."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    warned = logging.getLogger("huggingface_hub._commit_api")
    level, silenced = warned.level, not sys.stderr.isatty() and not are_progress_bars_disabled()
    warned.setLevel(logging.ERROR)
    if silenced:
        disable_progress_bars()
    try:
        yield
    finally:
        warned.setLevel(level)
        if silenced:
            enable_progress_bars()
