"""Whether the order in which replies come changes what a build makes.

    python benchmarks/reply_order.py [--orders 5]

One recipe of every method, with filters that compare records, is built again and again with the same seed and the same
scripted model (tests/test_reply_order.py), whose replies come after random delays of another seed each time. Exit
status 1 if one file of a step or of the dataset differs in a byte.
"""

import argparse
import hashlib
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from measuring import table
from test_reply_order import FINISHED, lines
from test_run import built

from tuneworks.factory.record import fingerprint
from tuneworks.pipelines.stages import steps_of


def trial(order: int, place: Path) -> tuple[object, ...]:
    FINISHED.clear()
    recipe, folder = lines(place, order), place / f"run{order}"
    result = built(recipe, folder)
    made = [*(folder / step.folder for step in steps_of(recipe)), folder / "dataset"]
    files = [path for where in made for path in sorted(where.rglob("*.parquet"))]
    content = hashlib.blake2b(digest_size=8)
    for path in files:
        content.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    replied = fingerprint([repr(request) for request in FINISHED])[:16]
    return order, result.asked, replied, len(files), content.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        rows = [trial(order, Path(folder)) for order in range(args.orders)]
        os.chdir("/")
    columns = ("order", "calls", "hash of the order of the replies", "files", "hash of all their bytes")
    table("The same build, its replies in another order each time", columns, rows)
    same, orders = len({row[-1] for row in rows}) == 1, len({row[2] for row in rows})
    sys.exit(0 if same and orders == args.orders else 1)


if __name__ == "__main__":
    main()
