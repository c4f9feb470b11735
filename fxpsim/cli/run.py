"""``fxpsim run``, ``resume`` and ``verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RUNS = Path("reports") / "runs"
INTERRUPTED = 130

Threads = Annotated[int | None, typer.Option(help="Threads of the kernels; the result does not depend on it.")]
ProgressKind = Annotated[str, typer.Option("--progress", help="auto, live, line or off.")]


def run(
    recipe: Annotated[str, typer.Argument(help="Path of a recipe, or a shipped name (fxpsim models list recipes).")],
    steps: Annotated[int | None, typer.Option(min=1, help="Stop after so many steps.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Train for so many epochs; the schedule follows.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the run.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run directory; a new one under reports/runs/ unless given.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Directory with the data files.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of the recipe, may be repeated.")
    ] = None,
    progress: ProgressKind = "auto",
    threads: Threads = None,
) -> None:
    """Train a network in the arithmetic of an accelerator, price the run, write a report."""
    from fxpsim.train import RunDirectory, Trainer, load_recipe, make_progress

    _set_threads(threads)
    changes = list(overrides or [])
    changes += [f"{key}={value}" for key, value in (("epochs", epochs), ("seed", seed)) if value is not None]
    resolved = load_recipe(recipe, overrides=changes, data_dir=data_dir)
    display = make_progress(progress)
    try:
        trainer = Trainer(resolved, None, stop_after=steps)
        trainer.directory = RunDirectory.create(out or _free_folder(resolved.recipe.name), resolved)
        _finish(trainer, display)
    finally:
        display.close()


def resume(
    run: Annotated[Path, typer.Argument(help="Directory of a run that was interrupted.")],
    progress: ProgressKind = "auto",
    threads: Threads = None,
) -> None:
    """Go on with an interrupted run from its latest checkpoint; the end result is the same bit for bit."""
    from fxpsim.train import make_progress
    from fxpsim.train import resume as resume_run

    _set_threads(threads)
    trainer = resume_run(run)
    display = make_progress(progress)
    try:
        _finish(trainer, display)
    finally:
        display.close()


def verify(
    run: Annotated[Path, typer.Argument(help="Directory of a finished run.")],
    progress: ProgressKind = "auto",
    threads: Threads = None,
) -> None:
    """Execute a run again and compare the digests of all trained state."""
    from fxpsim.errors import UserError
    from fxpsim.train import RunDirectory, Trainer, make_progress

    _set_threads(threads)
    directory = RunDirectory.open(run)
    expected = directory.summary()
    if not expected:
        raise UserError(
            "the run has no summary to compare with",
            where=str(run),
            expected="a finished run",
            remedy=f"finish it first: fxpsim resume {run}",
        )
    display = make_progress(progress)
    try:
        summary = Trainer(directory.recipe(), None, stop_after=expected["steps"]).run(display)
    finally:
        display.close()
    if summary["digest"] != expected["digest"]:
        typer.echo(
            f"DIFFERENT after {summary['steps']} steps\n  recorded {expected['digest']}\n  now      {summary['digest']}"
        )
        raise typer.Exit(1)
    typer.echo(f"same digest after {summary['steps']} steps: {summary['digest']}")


def _finish(trainer, display) -> None:
    from fxpsim.cli.results import finish
    from fxpsim.train import Interrupted

    folder = trainer.directory.path
    try:
        summary = trainer.run(display)
    except Interrupted:
        display.close()
        typer.echo(f"stopped after step {trainer.done} of {trainer.last}; go on with: fxpsim resume {folder}")
        raise typer.Exit(INTERRUPTED) from None
    display.close()
    finish(trainer.directory, summary)


def _set_threads(count: int | None) -> None:
    if count is not None:
        from fxpsim.kernels.threads import set_threads

        set_threads(count)


def _free_folder(name: str) -> Path:
    """Return the next unused folder for a run of this name."""
    number = 1
    while (RUNS / f"{name}-{number:03d}").exists():
        number += 1
    return RUNS / f"{name}-{number:03d}"
