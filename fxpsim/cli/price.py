"""``fxpsim cost`` and ``fxpsim report``: what a run costs on an accelerator, and the page that tells it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from fxpsim.accelerator import Accelerator
    from fxpsim.cost import Comparison, CostResult
    from fxpsim.train import RunDirectory

BASELINE_BITS = {"float32": 32, "int8": 8}


def cost(
    run: Annotated[Path | None, typer.Argument(help="Run directory; or give --workload and --history.")] = None,
    accelerator: Annotated[str | None, typer.Option(help="Shipped name or path; the run's own unless given.")] = None,
    workload: Annotated[Path | None, typer.Option(help="Workload table, .csv or .parquet.")] = None,
    history: Annotated[Path | None, typer.Option(help="History table, .csv or .parquet.")] = None,
    vector_workload: Annotated[Path | None, typer.Option(help="Element-wise work, .csv or .parquet.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the cost table, .csv or .parquet.")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of the accelerator.")] = None,
    baseline: Annotated[str, typer.Option(help="float32 or int8: the same work in these bits throughout.")] = "float32",
) -> None:
    """Price a run, or a workload and a history of any other tool, on an accelerator."""
    from fxpsim.accelerator import load
    from fxpsim.errors import UserError
    from fxpsim.records import write_table
    from fxpsim.registry import unknown
    from fxpsim.train import RunDirectory

    if baseline not in BASELINE_BITS:
        raise unknown("baseline", baseline, BASELINE_BITS, where="--baseline")
    if run is not None:
        directory = RunDirectory.open(run)
        workload, history = run / "workload.parquet", run / "history.parquet"
        vector_workload = run / "vector_workload.parquet"
        target = load(accelerator) if accelerator else directory.recipe().accelerator
    elif workload is None or history is None or accelerator is None:
        raise UserError(
            "nothing to price",
            where="command line",
            expected="RUN, or --workload, --history and --accelerator",
            remedy="fxpsim cost RUN --accelerator NAME",
        )
    else:
        target = load(accelerator)
    for override in overrides or []:
        key, _, value = override.partition("=")
        target = target.with_set(key, value)
    result, comparison = evaluate(workload, history, vector_workload, target, baseline)
    if out is not None:
        write_table(result.table, out)
    typer.echo(describe(result, comparison))


def evaluate(
    workload: Path, history: Path, vector_workload: Path | None, target: Accelerator, baseline: str
) -> tuple[CostResult, Comparison]:
    """Price a history and its baseline on one accelerator."""
    from fxpsim.cost import baseline_history, compare, price
    from fxpsim.records import as_history

    bits = as_history(history)
    begin, end = min(bits["step_begin"].tolist()), max(bits["step_end"].tolist())
    options = {"word_bits": BASELINE_BITS[baseline], "steps": end - begin, "step_begin": begin}
    same = baseline_history(workload, **options, like=bits)
    result = price(workload, bits, target, vector_workload=vector_workload)
    reference = price(workload, same, target, vector_workload=vector_workload)
    return result, compare(result, reference, name=f"{baseline} on the same accelerator")


def price_run(directory: RunDirectory) -> dict[str, Any]:
    """Price a run on the accelerators of its recipe; write ``cost.csv`` (the run's own) and ``cost/<name>.csv``.

    Returns
    -------
    dict
        Accelerator -> speed-up, ratios and totals, for ``summary.json``.
    """
    from fxpsim.accelerator import load
    from fxpsim.records import write_table

    resolved = directory.recipe()
    own = resolved.accelerator
    targets = [own, *(load(name) for name in resolved.recipe.cost.accelerators if name != own.name)]
    tables = [directory.path / f"{name}.parquet" for name in ("workload", "history", "vector_workload")]
    figures = {}
    for target in targets:
        result, comparison = evaluate(*tables, target=target, baseline=resolved.recipe.cost.baseline)
        file = "cost.csv" if target is own else f"cost/{target.name}.csv"
        write_table(result.table, directory.path / file)
        figures[target.name] = comparison.as_dict()
    return figures


def describe(result: CostResult, comparison: Comparison) -> str:
    """Return the totals of a price in words, with their units."""
    totals = result.totals
    target = result.accelerator
    seconds = totals["latency_cycles"] / (target.frequency_mhz * 1e6)
    lines = [
        f"accelerator      {target.name}: {target.description}",
        f"MACs             {totals['macs']:,}",
        f"bit operations   {totals['bit_ops']:,}",
        f"latency          {totals['latency_cycles']:,.0f} cycles, {seconds:.3g} s at {target.frequency_mhz:g} MHz",
        f"energy           {totals['energy_pj'] * 1e-12:.3g} J "
        f"({totals['energy_low_pj'] * 1e-12:.3g} to {totals['energy_high_pj'] * 1e-12:.3g} J)",
        f"against          {comparison.baseline}: speed-up {comparison.speedup:.3f}x, "
        f"energy {comparison.energy_ratio:.3f}x, model size {comparison.model_size_ratio:.3f}x",
        "assumed          " + "\n                 ".join(result.assumptions),
        "not counted      " + "\n                 ".join(result.not_counted),
    ]
    return "\n".join(lines)


def report(
    runs: Annotated[list[Path], typer.Argument(help="One run directory, or several to compare.")],
    out: Annotated[
        Path | None, typer.Option(help="The HTML file; report.html in the run (or here) unless given.")
    ] = None,
    gemm_times: Annotated[
        Path | None, typer.Option(help="Measured GEMMs of a CPU (benchmarks/int_gemm_cpu.py --out), for APT.")
    ] = None,
) -> None:
    """Write one self-contained HTML page about a run, or a comparison of several."""
    from fxpsim.report import write_report

    target = out or (runs[0] / "report.html" if len(runs) == 1 else Path("report.html"))
    write_report(list(runs), target, gemm_times=gemm_times)
    typer.echo(str(target))
