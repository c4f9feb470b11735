"""``fxpsim doctor``: what this installation runs on, and whether its arithmetic is right here."""

from __future__ import annotations

from typing import Annotated

import typer


def doctor(
    kernels: Annotated[
        bool, typer.Option("--kernels", help="Print the generated sources of the vector programs.")
    ] = False,
) -> None:
    """Show versions, threads, cache and compiled kernels, and check every rounding mode against its specification."""
    from fxpsim.kernels.disk_cache import cache_directory
    from fxpsim.train.directory import environment

    for key, value in environment().items():
        typer.echo(f"{key:<12} {value}")
    folder = cache_directory()
    compiled = list(folder.glob("*.bin"))
    size_mib = sum(path.stat().st_size for path in compiled) / 2**20
    typer.echo(f"{'kernel cache':<12} {folder} ({len(compiled)} compiled kernels, {size_mib:.1f} MiB)")
    if kernels:
        for path in sorted((folder / "generated").glob("*.py")):
            typer.echo(f"\n# {path}\n{path.read_text(encoding='utf-8')}", nl=False)
    typer.echo(_self_test())


def _self_test() -> str:
    """Cast a grid of values in every mode and compare with the plain-integer specification."""
    import numpy as np

    from fxpsim.array import cast
    from fxpsim.numerics import FixedFormat, Overflow, Rounding, oracle

    values = np.arange(-64, 65) / 16
    target = FixedFormat(word_bits=5, frac_bits=2)
    wrong = 0
    modes = [mode for mode in Rounding if not mode.is_stochastic]
    overflows = [mode for mode in Overflow if mode is not Overflow.RAISE]
    for rounding in modes:
        for overflow in overflows:
            got = cast(values, target, rounding=rounding, overflow=overflow).codes
            wrong += sum(
                oracle.cast(float(v), target, rounding, overflow) != int(c) for v, c in zip(values, got, strict=True)
            )
    verdict = "right" if wrong == 0 else f"WRONG in {wrong} values"
    return (
        f"{'self-test':<12} {len(modes)} rounding x {len(overflows)} overflow modes on {len(values)} values: {verdict}"
    )
