"""The report of a run: `report.html`, one file without network, of what is there and what is missing."""

from pathlib import Path

from tuneworks.factory.errors import InputError
from tuneworks.pipelines.report.contents import read_contents
from tuneworks.pipelines.report.page import composed

REPORT = "report.html"


def write_report(folder: Path) -> Path:
    """Write the report of the run in `folder`, whole or not at all; returns its path. A run in the middle gives a
    report of what there is. Raises InputError where there is no run or the folder cannot be written."""
    written = composed(read_contents(folder))
    path = folder / REPORT
    half = path.with_name(f"{REPORT}.part")
    try:
        half.write_text(written, encoding="utf-8")
        half.rename(path)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise InputError(f"{path} cannot be written ({error.strerror}); make room or free the folder") from error
    return path
