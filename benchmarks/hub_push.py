"""A finished run pushed to a Hub on the loopback address, killed half-way, pushed again, loaded back and compared.

python benchmarks/hub_push.py --run runs/quickstart
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
from measuring import table

from tuneworks.pipelines.dataset import read_manifest

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from hub_repos import HubServer
from hub_server import environment, serving

LOADING = """
import sys
from pathlib import Path
from datasets import load_dataset
for name in sys.argv[3:]:
    for split, rows in load_dataset(sys.argv[1], name).items():
        rows.to_parquet(Path(sys.argv[2], f"{name}-{split}.parquet"))
"""


def pushing(hub: HubServer, run: Path, repo: str, place: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tuneworks", "push", str(run.resolve()), repo]
    return subprocess.Popen(command, env=environment(hub, place), cwd=place, stdout=subprocess.DEVNULL)


def pushed(hub: HubServer, run: Path, repo: str, place: Path) -> float:
    began = time.perf_counter()
    assert pushing(hub, run, repo, place).wait(300) == 0
    return time.perf_counter() - began


def killed(hub: HubServer, run: Path, repo: str, place: Path) -> int:
    """A push that ends with SIGKILL while its second file is on the way; the files that the repo shows then."""
    hub.stumbles["PUT /storage/"] = [None, "hang"]
    process = pushing(hub, run, repo, place)
    assert hub.hanging.wait(60)
    process.kill()
    process.wait()
    hub.released.set()
    return len(hub.held(repo))


def loaded_equal(hub: HubServer, run: Path, repo: str, place: Path) -> list[tuple[object, ...]]:
    """Each split as `datasets` reads it from the Hub beside the file that was pushed."""
    manifest = read_manifest(run / "dataset")
    assert manifest is not None
    names = list(manifest["rows"])
    subprocess.run([sys.executable, "-c", LOADING, repo, str(place), *names], env=environment(hub, place), check=True)
    lines: list[tuple[object, ...]] = []
    for name, counts in manifest["rows"].items():
        for split in (split for split, count in counts.items() if count):
            here = pl.read_parquet(run / "dataset" / name / f"{split}.parquet").to_dicts()
            there = pl.read_parquet(place / f"{name}-{split}.parquet").to_dicts()
            lines.append((f"{name} {split}", len(here), len(there), "yes" if here == there else "no"))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    run = parser.parse_args().run
    with tempfile.TemporaryDirectory() as folder, serving(HubServer()) as hub:
        place = Path(folder)
        shown = killed(hub, run, "tester/broken", place)
        again = pushed(hub, run, "tester/broken", place)
        sent, commits = len(hub.uploads), len(hub.repos["tester/broken"].commits) - 1
        whole = pushed(hub, run, "tester/whole", place)
        same = hub.held("tester/broken") == hub.held("tester/whole")
        loads = loaded_equal(hub, run, "tester/broken", place)
        files = hub.held("tester/whole")
    size = sum(map(len, files.values()))
    lines: list[tuple[object, ...]] = [
        ("a whole push", f"{len(files)} files, {size:,} bytes, {whole:.1f} s with the start of the process"),
        ("killed at its second file", f"{shown} files shown"),
        ("pushed again", f"{again:.1f} s; {sent} files sent in both, each once; {commits} commit"),
        ("ends the same as the whole one", "yes" if same else "no"),
    ]
    table(f"{run.name} pushed", ("push", "what came of it"), lines)
    table("Loaded back by datasets.load_dataset", ("split", "rows pushed", "rows loaded", "equal"), loads)


if __name__ == "__main__":
    main()
