"""What happens behind the last step: price the run, write the report, say how it went."""

from __future__ import annotations

from typing import Any

import typer

from fxpsim.train import RunDirectory
from fxpsim.train.directory import write_json


def finish(directory: RunDirectory, summary: dict[str, Any]) -> None:
    """Price a finished run on the accelerators of its recipe, write the report, print the result."""
    from fxpsim.cli.price import price_run
    from fxpsim.report import read_run, write_report
    from fxpsim.report.published import own_metrics

    summary["cost"] = price_run(directory)
    if own := own_metrics(read_run(directory.path)):
        summary["published"] = {metric.name: metric.value for metric in own}
    write_json(directory.summary_path, summary)
    report = directory.path / "report.html"
    write_report([directory.path], report)
    typer.echo(_result(summary))
    typer.echo(f"report: {report}")


def _result(summary: dict[str, Any]) -> str:
    lines = [
        f"test accuracy {summary['test_accuracy']:.4f}, train loss {summary['train_loss']:.4f} "
        f"after {summary['steps']} steps in {summary['wall_s']:.1f} s; bit-exact: {summary['bit_exact_note']}",
        f"digest {summary['digest']}",
    ]
    if risks := summary["may_overflow"]:
        worst = max(risks, key=lambda risk: risk["needed_word_bits"])
        lines.append(
            f"accumulator: {len(risks)} kinds of sums could overflow at worst-case codes; longest: {worst['layer']} "
            f"({worst['pass']}): {worst['products']} products need {worst['needed_word_bits']} bits, safe up to "
            f"{worst['safe_products']}; {summary['accumulator_overflows']} sums did overflow"
        )
    for name, figures in summary["cost"].items():
        lines.append(
            f"{name}: speed-up {figures['speedup']:.2f}x, model size {figures['model_size_ratio']:.2f}x, "
            f"energy {figures['energy_ratio']:.2f}x against {figures['baseline']}"
        )
    return "\n".join(lines)
