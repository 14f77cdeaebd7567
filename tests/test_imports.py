"""Imports point one way: factory knows nobody, filters and trainers know factory, pipelines know all."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAY_KNOW = {
    "factory": {"factory"},
    "filters": {"factory", "filters"},
    "trainers": {"factory", "trainers"},
    "pipelines": {"factory", "filters", "trainers", "pipelines"},
}


def imported(path: Path) -> set[str]:
    """The folders of the package that a file imports from."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    parts = (name.split(".") for name in names if name.startswith("tuneworks."))
    return {p[1] for p in parts if p[1] in MAY_KNOW}


def test_imports_point_one_way() -> None:
    for folder, allowed in MAY_KNOW.items():
        for path in (ROOT / folder).rglob("*.py"):
            assert imported(path) <= allowed, f"{path.relative_to(ROOT)} imports {imported(path) - allowed}"


def test_nobody_imports_the_command_line() -> None:
    for folder in MAY_KNOW:
        for path in (ROOT / folder).rglob("*.py"):
            within = path.parent == ROOT / "pipelines" / "cli"
            assert within or "tuneworks.pipelines.cli" not in path.read_text(), path
