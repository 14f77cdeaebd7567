"""The command that asks what a training changed."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, cast

import typer
import yaml
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tuneworks.factory.engine import EngineOptions
from tuneworks.factory.errors import InputError
from tuneworks.factory.reward import Reward
from tuneworks.pipelines import catalog
from tuneworks.pipelines.catalog import OptionError
from tuneworks.pipelines.cli.terminal import RUNS, Runs, console, interruptible, room_for
from tuneworks.pipelines.evaluating import EVALUATIONS, Wanted, table
from tuneworks.pipelines.evaluating import evaluate as evaluated
from tuneworks.pipelines.evaluating.contestants import run_of
from tuneworks.pipelines.evaluating.page import write_page
from tuneworks.pipelines.reading import models_trained, run_folder
from tuneworks.pipelines.run_folder import DATASET
from tuneworks.trainers.plan import Plan


def evaluate(
    model: Annotated[
        str, typer.Argument(help="A training's folder, its name with --run, a model's folder, smollm2 or a Hub id.")
    ],
    run: Annotated[str | None, typer.Option(help="The run whose held-out rows to measure on.")] = None,
    runs: Runs = RUNS,
    data: Annotated[Path | None, typer.Option(help="A dataset's folder, in place of a run's.")] = None,
    against: Annotated[
        str | None, typer.Option(help="The model to compare with, else the one that this began from.")
    ] = None,
    reward: Annotated[
        str | None,
        typer.Option(help="What scores answers: a reward model's folder, or a reward as a recipe writes it."),
    ] = None,
    judge: Annotated[
        str | None, typer.Option(help="A model that compares answers, in both orders: as a recipe writes an engine.")
    ] = None,
    rows: Annotated[int, typer.Option(min=2, help="Most held-out rows that are scored.")] = 200,
    prompts: Annotated[int, typer.Option(min=2, help="Most held-out prompts that are answered.")] = 64,
) -> None:
    """What did a training change? Held-out loss, answers, rewards, constraints: against what it began from."""
    folder = run_folder(run, runs) if run is not None else None if data is not None else run_of(model)
    if folder is None and data is None:
        raise InputError(f"nothing says which held-out rows to measure {model} on; name a run with --run")
    wanted = Wanted(
        model=model,
        run=folder,
        dataset=data if data is not None else cast(Path, folder) / DATASET,
        into=folder / EVALUATIONS if folder is not None else Path(EVALUATIONS),
        against=against,
        reward=_reward(reward, folder),
        judge=_judge(judge),
        rows=rows,
        prompts=prompts,
    )
    again = " ".join(shlex.quote(part) for part in (model, *(("--run", run) if run else ())))
    with interruptible("All answers so far are kept", f"evaluate {again}"), room_for(wanted.into), _progress() as live:
        found = evaluated(wanted, lambda what, total: _counted(live, what, total))
    table.show(console, found)
    page = write_page(found)
    console.print(f"The picture is in {page}", highlight=False, markup=False, soft_wrap=True)


def _reward(written: str | None, run: Path | None) -> Reward | None:
    """As it is written; else the newest reward model of the run, where there is one."""
    if written is None:
        trained = [folder for folder in models_trained(run) if Plan.read(folder).kind == "reward"] if run else []
        written = f"{{classifier: {{model: {str(trained[-1])!r}}}}}" if trained else None
    elif Path(written).expanduser().is_dir() or (written.count("/") == 1 and "{" not in written):
        written = f"{{classifier: {{model: {written!r}}}}}"
    return cast(Reward, _plugin("rewards", written, "--reward")) if written is not None else None


def _judge(written: str | None) -> EngineOptions | None:
    return cast(EngineOptions, _plugin("engines", written, "--judge")) if written is not None else None


def _plugin(family: str, written: str, option: str) -> object:
    try:
        return catalog.build((family,), yaml.safe_load(written), (option,))
    except yaml.YAMLError as error:
        raise InputError(f"{option} {written} is not YAML; write a name or {{name: {{option: value}}}}") from error
    except OptionError as error:
        raise InputError(f"{option}: {error.sentence}") from error


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _counted(live: Progress, what: str, total: int) -> Callable[[], None]:
    task: TaskID = live.add_task(f"asking {what}", total=total)
    if not console.is_terminal:
        console.print(f"  asking {what}: {total} calls", style="dim", highlight=False, markup=False)
    return lambda: live.advance(task)
