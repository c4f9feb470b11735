"""``fxpsim export``: a trained network's weights, memory files for hardware, and test vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from fxpsim.export import Product
    from fxpsim.train import Session

KINDS = ("weights", "memory", "vectors")


def export(
    run: Annotated[Path, typer.Argument(help="Directory of a finished run.")],
    to: Annotated[str, typer.Option("--to", help="weights (safetensors), memory (.mem, .hex, .coe) or vectors.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write to; export/KIND in the run unless given.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Test samples of the vectors.")] = 1,
) -> None:
    """Write what a run has trained: for other software, for a memory's contents, or to test hardware against."""
    from fxpsim.errors import UserError
    from fxpsim.export import export_memory, export_vectors, export_weights
    from fxpsim.registry import unknown
    from fxpsim.train import RunDirectory, resume

    if to not in KINDS:
        raise unknown("kind of export", to, KINDS, where="--to")
    if not RunDirectory.open(run).summary():
        raise UserError(
            "the run is not finished", where=str(run), expected="a finished run", remedy=f"fxpsim resume {run}"
        )
    trainer = resume(run)
    folder = out or run / "export" / to
    products = executed(trainer.session, trainer.dataset.test.head(samples))
    if to == "weights":
        written = [export_weights(*_state(trainer.session), products, folder / "weights.safetensors")]
    elif to == "memory":
        written = export_memory(products, folder)
    else:
        unit = trainer.accelerator.mac_array.accumulator.model_dump(mode="json")
        written = export_vectors(products, folder, accumulator=unit)
    typer.echo(f"{len(written)} files in {folder}")


def executed(session: Session, split: Any) -> list[Product]:
    """Return the products of integer codes that the MAC array executes for an evaluation, in order."""
    from fxpsim.export import Product
    from fxpsim.units.values import Operand

    found: list[Product] = []
    engine, run = session.engine, session.engine.mac.run

    def watched(operation: str, a: Any, b: Any, **attributes: Any) -> Any:
        result = run(operation, a, b, **attributes)
        if all(isinstance(one, Operand) and one.format is not None for one in (a, b)) and operation in ORDERED:
            found.append(
                Product(
                    layer=engine.layer,
                    operation=operation,
                    a=a.codes.copy(),
                    b=b.codes.copy(),
                    out=result.codes.copy(),
                    a_format=a.format,
                    b_format=b.format,
                    out_bits=engine.mac.spec.word_bits,
                    out_frac_bits=result.frac_bits,
                    attributes=attributes,
                )
            )
        return result

    engine.mac.run = watched  # type: ignore[method-assign]
    try:
        session.evaluate(split)
    finally:
        engine.mac.run = run  # type: ignore[method-assign]
    return found


ORDERED = ("matmul", "conv2d")


def _state(session: Session) -> tuple[dict[str, Any], dict[str, int]]:
    """Return parameters and statistics, and the fraction lengths of those that are codes."""
    arrays, frac_bits = {}, {}
    for kept in (*session.parameters, *session.buffers):
        assert kept.master is not None
        arrays[kept.path] = kept.master.weights
        if kept.master.frac_bits is not None:
            frac_bits[kept.path] = kept.master.frac_bits
    return arrays, frac_bits
