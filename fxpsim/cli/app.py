"""The commands, put together."""

from __future__ import annotations

import typer

from fxpsim.cli import doctor, export, models, price, run, sweep, variance

app = typer.Typer(
    name="fxpsim",
    help="Bit-exact fixed-point training simulation and accelerator cost models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.command("run")(run.run)
app.command("resume")(run.resume)
app.command("verify")(run.verify)
app.command("cost")(price.cost)
app.command("report")(price.report)
app.command("sweep")(sweep.sweep)
app.command("variance")(variance.variance)
app.command("export")(export.export)
app.add_typer(models.app, name="models")
app.command("doctor")(doctor.doctor)
