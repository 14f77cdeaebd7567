"""Training in several processes: what accelerate's configuration file asks for, and the command that starts it.

The file is what `accelerate config` writes: DDP, FSDP2 and DeepSpeed ZeRO are all said there. This file loads no torch.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import yaml

from tuneworks.factory.errors import RecipeError
from tuneworks.factory.record import fingerprint

KINDS = ("NO", "MULTI_CPU", "MULTI_GPU", "MULTI_XPU", "MULTI_NPU", "MULTI_MLU", "MULTI_MUSA", "FSDP", "DEEPSPEED")
"""Kinds of distribution in the file that trainings can be started by."""

SHARDED = ("FSDP", "DEEPSPEED")
"""Those by which no process holds the whole model."""

PACKAGES = {"DEEPSPEED": "deepspeed"}


@dataclass(frozen=True, slots=True)
class Processes:
    file: str
    kind: str
    count: int
    print: str
    """Stands for what the file says."""

    @property
    def sharded(self) -> bool:
        return self.kind in SHARDED


def read_processes(file: str, place: str) -> Processes:
    """Raises RecipeError, which begins with `place`, where the file is none of accelerate's."""
    path = Path(file).expanduser()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(
            f"{place}: accelerate: {file} cannot be read ({error.strerror}); write one with: accelerate config "
            f"--config_file {file}"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{place}: accelerate: {file} is not YAML; write one with: accelerate config") from error
    kind = content.get("distributed_type") if isinstance(content, Mapping) else None
    kind = "NO" if kind is False else kind  # YAML reads a bare NO as false
    if kind not in KINDS:
        raise RecipeError(
            f"{place}: accelerate: {file} names distributed_type {kind!r}, and trainings are started by "
            f"{', '.join(KINDS)}; write it with: accelerate config"
        )
    count = content.get("num_processes", 1)
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise RecipeError(f"{place}: accelerate: num_processes in {file} is {count!r}; write how many, such as 2")
    if int(content.get("num_machines", 1)) > 1:
        raise RecipeError(f"{place}: accelerate: {file} asks for several machines; trainings run on one")
    package = PACKAGES.get(kind)
    if package is not None and find_spec(package) is None:
        raise RecipeError(f"{place}: accelerate: {file} asks for {package}, which is missing; pip install {package}")
    return Processes(file, kind, count, fingerprint(content))


def command(worker: str, into: Path, processes: Processes | None) -> list[str]:
    if processes is None:
        return [sys.executable, "-m", worker, str(into)]
    if processes.kind == "MULTI_CPU":
        # accelerate starts several processes on a CPU by MPI alone; torch's own launcher needs none.
        count = ["--nproc_per_node", str(processes.count), "--standalone"]
        return [sys.executable, "-m", "torch.distributed.run", *count, "-m", worker, str(into)]
    file = str(Path(processes.file).expanduser())
    return [sys.executable, "-m", "accelerate.commands.launch", "--config_file", file, "-m", worker, str(into)]


def settings(processes: Processes | None) -> dict[str, str]:
    """What the processes must find in their environment."""
    return {"ACCELERATE_USE_CPU": "true"} if processes is not None and processes.kind == "MULTI_CPU" else {}
