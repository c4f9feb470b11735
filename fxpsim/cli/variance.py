"""``fxpsim variance``: what quantizers do to the errors of a real network, measured on a recipe or a run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fxpsim.cli.run import ProgressKind, Threads, _set_threads

if TYPE_CHECKING:
    from fxpsim.train import ResolvedRecipe, Session, Trainer


def variance(
    source: Annotated[str, typer.Argument(help="Run directory, or path or shipped name of a recipe.")],
    out: Annotated[Path, typer.Option(help="Folder for tables, figures and the page.")],
    steps: Annotated[int, typer.Option(min=0, help="Train a recipe for so many steps first.")] = 100,
    bits: Annotated[str, typer.Option(help="Word lengths.")] = "8,7,6,5,4",
    batches: Annotated[int, typer.Option(min=1, help="Training batches whose errors are quantized.")] = 1,
    draws: Annotated[int, typer.Option(min=1, help="Quantizations of every tensor.")] = 4,
    gradients: Annotated[
        int, typer.Option(min=0, help="Batches for the variance of weight gradients (at least 2); 0 leaves it out.")
    ] = 0,
    data_dir: Annotated[Path | None, typer.Option(help="Directory with the data files.")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of a recipe.")] = None,
    progress: ProgressKind = "auto",
    threads: Threads = None,
) -> None:
    """Measure the variance of StatQuant's quantizers on the errors of a network, beside their bounds.

    The errors are the exact gradients of the loss by the output of every layer, for batches of training samples that
    no step has seen in this order; the network is that of the last step.
    """
    from fxpsim.errors import UserError
    from fxpsim.report.variance import write_variance
    from fxpsim.train.variance import errors_of, gradient_variance, mean_rows, quantizer_variance

    _set_threads(threads)
    words = _word_lengths(bits)
    if gradients == 1:
        raise UserError("--gradients 1", where="command line", expected="0, or at least 2 batches to vary over")
    trainer, resolved = _trained(source, steps, overrides or [], data_dir, progress)
    chosen = _batches(trainer, max(batches, gradients))
    session: Session = trainer.session
    rows = mean_rows(
        [
            quantizer_variance(errors_of(session, b), bits=words, draws=draws, seed=i)
            for i, b in enumerate(chosen[:batches])
        ]
    )
    of_gradients = gradient_variance(session, chosen[:gradients], draws=draws) if gradients else []
    about = {
        "recipe": resolved.recipe.name,
        "network": resolved.recipe.network,
        "data": resolved.recipe.data.name,
        "method": resolved.method.name,
        "steps": trainer.done,
        "batch": trainer.batch_size,
        "batches": batches,
        "draws": draws,
        "seed": resolved.recipe.seed,
        "digest": session.digest(),
        "command": " ".join(
            [f"fxpsim variance {source} --steps {steps} --bits {bits} --batches {batches} --draws {draws}"]
            + ([f"--gradients {gradients}"] if gradients else [])
            + [f"--set {shlex.quote(key)}" for key in overrides or []]
            + (["--data-dir DIR"] if data_dir else [])
            + ["--out FOLDER"]
        ),
    }
    for path in write_variance(out, rows, of_gradients, about):
        typer.echo(path)


def _word_lengths(text: str) -> list[int]:
    from fxpsim.errors import UserError

    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(2 <= b <= 16 for b in found):
        raise UserError(f"--bits {text}", where="command line", expected="word lengths from 2 to 16, such as 8,6,4")
    return found


def _trained(
    source: str, steps: int, overrides: Sequence[str], data_dir: Path | None, progress: str
) -> tuple[Trainer, ResolvedRecipe]:
    """Return the trainer of a run at its last checkpoint, or of a recipe after some steps."""
    from fxpsim.errors import UserError
    from fxpsim.train import RunDirectory, Trainer, load_recipe, make_progress

    if (Path(source) / "recipe.toml").is_file():
        if overrides:
            raise UserError("--set", where="command line", expected="a recipe: a run is what it is")
        directory = RunDirectory.open(Path(source))
        resolved = directory.recipe()
        trainer = Trainer(resolved, directory)
        trainer.restore()
        trainer.directory = None
        return trainer, resolved
    resolved = load_recipe(source, overrides=overrides, data_dir=data_dir)
    trainer = Trainer(resolved, None, stop_after=steps)
    if steps:
        display = make_progress(progress)
        try:
            trainer.advance(display)
        finally:
            display.close()
    return trainer, resolved


def _batches(trainer: Any, count: int) -> list[Any]:
    """Return batches of training samples in an order of their own."""
    from itertools import islice

    from fxpsim.data import batches

    source = batches(
        trainer.dataset.train,
        batch=trainer.batch_size,
        seed=trainer.recipe.seed,
        epoch=trainer.recipe.epochs,  # behind the last one
        shuffle=True,
        drop_last=True,
        augment=trainer.recipe.data.augment,
    )
    return list(islice(source, count))
