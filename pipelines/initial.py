"""The commented recipe that `tuneworks init` writes."""

from pathlib import Path

from tuneworks.factory.errors import InputError
from tuneworks.pipelines.recipe import BUILTIN_FOLDER


def write_initial(file: Path) -> None:
    """A copy of the built-in `quickstart`, named after the file; never over a file that is there."""
    if file.exists():
        raise InputError(f"{file} exists already; name another file, or remove it first")
    text = (BUILTIN_FOLDER / "quickstart.yaml").read_text(encoding="utf-8")
    try:
        file.write_text(text.replace("name: quickstart", f"name: {file.stem}", 1), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}); name a file in a folder of yours") from error
