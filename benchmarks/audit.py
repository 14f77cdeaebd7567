"""The preference auditor on a file of pairs: what it finds, seconds and peak memory.

python benchmarks/audit.py --data harmless_test.jsonl.gz      # hh-rlhf's harmless-base test pairs
"""

import argparse
import gzip
import json
from pathlib import Path

from measuring import cost, table

from tuneworks.pipelines.audit.audited import audited_file
from tuneworks.pipelines.audit.findings import as_json


def audited(path: Path) -> dict[str, object]:
    return as_json(audited_file(path))


def raw_longer(path: Path) -> int:
    """Rows whose whole `chosen` text, prompt included, has more characters than the rejected one."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return sum(isinstance(row["chosen"], str) and len(row["chosen"]) > len(row["rejected"]) for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    path = parser.parse_args().data
    done = cost(audited, path, threads=2, runs=3)
    found = done.result
    longer, words = found["characters"], found["words"]
    lines: list[tuple[object, ...]] = [
        ("pairs seen, and standing", f"{found['seen']:,}, {found['pairs']:,}"),
        *((name.replace("_", " "), f"{one['count']:,}") for name, one in found.items() if _is_finding(one)),
        ("chosen longer in characters", _share(longer)),
        ("chosen longer in words", _share(words)),
        ("chosen longer in characters, prompts included, all rows", f"{raw_longer(path):,}"),
        ("s after imports, peak MB", f"{done.wall:.2f}, {done.peak_mb:.0f}"),
    ]
    table(f"The auditor on {path.name}", ("finding", "pairs"), lines)


def _is_finding(one: object) -> bool:
    return isinstance(one, dict) and "count" in one


def _share(lengths: dict[str, object]) -> str:
    longer, (low, high) = lengths["longer"], lengths["interval"]
    return f"{longer['count']:,} of {longer['of']:,} ({longer['share']:.1%}, 95% {low:.1%} to {high:.1%})"


if __name__ == "__main__":
    main()
