"""The page of one run."""

import json
from collections.abc import Sequence

from fxpsim.report.bits import bits_change, stream_histories
from fxpsim.report.costs import Priced, cost_card, price_run
from fxpsim.report.decisions import decisions_section, marks
from fxpsim.report.learning import bits_figure, learning_figures
from fxpsim.report.numbers import percent, ratio, scaled
from fxpsim.report.page import render
from fxpsim.report.published import Times, own_metrics, published_table, width_table
from fxpsim.report.rundir import Run
from fxpsim.report.story import facts, run_story, stream_tile, stream_tile_note
from fxpsim.report.strips import BitScale, bit_panels
from fxpsim.report.tables import accumulation_table, saturation_table, workload_table


def run_page(run: Run, accelerators: Sequence[str], *, times: Times | None = None) -> str:
    """Return the HTML page of one run, priced on the given accelerators; ``times``: measured GEMMs of a CPU."""
    histories = stream_histories(run.history, run.workload)
    scale = BitScale.of(histories)
    priced = [price_run(run, name) for name in accelerators]
    return render(
        "run.html.j2",
        title=run.name,
        sources=f"run directory {run.name}",
        story=run_story(run, histories, _gains(priced)),
        tiles=[
            {
                "label": "Test accuracy",
                "value": percent(run.accuracy, 2),
                "note": f"training loss {run.summary.get('train_loss', float('nan')):.4f}",
            },
            {"label": "Mean word bits", "value": stream_tile(histories), "note": stream_tile_note(histories)},
            *_cost_tiles(priced),
        ],
        facts=facts(run),
        figures=learning_figures(run),
        bits=bits_figure(histories, run.steps),
        panels=bit_panels(histories, run.steps, scale, marks(run.decisions)),
        widths=width_table(run) if bits_change(histories) else None,
        decisions=decisions_section(run, histories),
        published=published_table(own_metrics(run, times)),
        legend=scale.legend(),
        steps=run.steps,
        saturation=saturation_table(histories, run.steps),
        accumulations=accumulation_table(run.accumulations),
        priced=[cost_card(entry) for entry in priced],
        workload=workload_table(run.workload),
        recipe=(run.path / "recipe.toml").read_text("utf-8"),
        environment=json.dumps(run.environment, indent=2) if run.environment else "",
        digest=run.summary.get("digest", "unknown"),
    )


def _cost_tiles(priced: Sequence[Priced]) -> list[dict[str, str]]:
    if not priced:
        return []
    first, gain = priced[0], priced[0].against("float32")
    time, energy = scaled(first.time_s, "s"), scaled(first.energy_j, "J")
    return [
        {"label": "Speed-up over float32", "value": ratio(gain.speedup), "note": f"{time} for the training"},
        {"label": "Energy, of float32", "value": percent(gain.energy_ratio), "note": f"{energy} for the training"},
        {
            "label": "Weights, of float32",
            "value": percent(gain.model_size_ratio),
            "note": f"{scaled(first.result.totals['model_bits'] / 8, 'B')} at the end",
        },
    ]


def _gains(priced: Sequence[Priced]) -> str:
    if not priced:
        return ""
    first, gain = priced[0], priced[0].against("float32")
    return (
        f"On {first.accelerator.name} the cost model predicts {ratio(gain.speedup)} the speed of float32 training "
        f"at {percent(gain.energy_ratio, 0)} of its energy."
    )
