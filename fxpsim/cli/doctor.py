"""``fxpsim doctor``: what this installation runs on, what its kernels take to start, whether its arithmetic holds."""

from __future__ import annotations

from typing import Annotated

import typer

PROBE = "lenet5-digits"


def doctor(
    kernels: Annotated[bool, typer.Option("--kernels", help="Print the generated sources of all kernels.")] = False,
) -> None:
    """Show versions, processor, threads and cache; time the kernels of a step; check every rounding mode."""
    from dataclasses import asdict

    from fxpsim.kernels.disk_cache import cache_directory
    from fxpsim.kernels.lanes import cpu
    from fxpsim.train.directory import environment

    for key, value in environment().items():
        _line(key, value)
    _line("processor", ", ".join(f"{key}={value}" for key, value in asdict(cpu()).items()))
    folder = cache_directory()
    compiled = list(folder.glob("*.bin"))
    size_mib = sum(path.stat().st_size for path in compiled) / 2**20
    _line("kernel cache", f"{folder} ({len(compiled)} compiled kernels, {size_mib:.1f} MiB)")
    _probe()
    _line("self-test", _self_test())
    if kernels:
        for path in sorted((folder / "generated").glob("*.py")):
            typer.echo(f"\n# {path}\n{path.read_text(encoding='utf-8')}", nl=False)


def _line(name: str, value: object) -> None:
    typer.echo(f"{name:<13} {value}")


def _probe() -> None:
    """Make one training step and say what its kernels took to compile or to load."""
    import time

    from fxpsim.data import batches
    from fxpsim.kernels.disk_cache import COMPILED
    from fxpsim.train import Session, load_recipe
    from fxpsim.train.loop import load_data

    resolved = load_recipe(PROBE)
    data = load_data(resolved.recipe.data)
    session = Session(resolved, data, steps=1)
    begin = time.perf_counter()
    session.step(0, *next(iter(batches(data.train, batch=resolved.recipe.batch, prefetch=0))))
    wall_s = time.perf_counter() - begin
    for label, from_disk in (("compiled", False), ("loaded", True)):
        found = [kernel for kernel in COMPILED if kernel.from_disk is from_disk]
        if found:
            names = sorted({kernel.name for kernel in found})
            total_s = sum(kernel.seconds for kernel in found)
            _line(label, f"{len(found)} kernels in {total_s:.2f} s: {', '.join(names)}")
    _line("first step", f"{wall_s:.2f} s for one step of {PROBE}, compiling or loading included")


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
            expected = [oracle.cast(float(v), target, rounding, overflow) for v in values]
            wrong += sum(e != int(c) for e, c in zip(expected, got, strict=True))
    verdict = "right" if wrong == 0 else f"WRONG in {wrong} values"
    return f"{len(modes)} rounding x {len(overflows)} overflow modes on {len(values)} values: {verdict}"
