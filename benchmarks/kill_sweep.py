"""Kills a build of a small recipe on the embedded model again and again, and compares what it ends in.

    python benchmarks/kill_sweep.py [--kills 5] [--seed 0]

SIGKILL comes at random moments spread over the build; then the build is run to its end. The dataset must have the same
bytes as that of a build that was left alone, and no finished call may have been made twice.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import small_line


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as place:
        whole, broken = Path(place) / "whole", Path(place) / "broken"
        for folder in (whole, broken):
            small_line.write_recipe(folder)
        small_line.build(whole)
        total, _ = small_line.calls(whole)
        moments = sorted(rng.random() for _ in range(args.kills))
        kept = [small_line.killed(broken, share * total, rng) for share in moments]
        small_line.build(broken)
        calls, repeated = small_line.calls(broken)
        same = small_line.dataset(whole) == small_line.dataset(broken)
    print("| kills | calls kept at each | calls at the end | of an undisturbed build | repeated | same bytes |")
    print("|---|---|---|---|---|---|")
    print(
        f"| {args.kills} | {', '.join(map(str, kept))} | {calls} | {total} | {repeated} | {'yes' if same else 'NO'} |"
    )
    sys.exit(0 if same and repeated == 0 else 1)


if __name__ == "__main__":
    main()
