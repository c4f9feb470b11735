"""The page of several runs: one table of everything, curves, and cost on each accelerator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fxpsim.report.bits import StreamHistory, is_float, mean_bits, overall_bits, stream_histories
from fxpsim.report.costs import Priced, constants_table, price_run
from fxpsim.report.figures import Figure, Point, scatter
from fxpsim.report.learning import comparison_figures, series_style
from fxpsim.report.numbers import percent, ratio, scaled, signed, significant
from fxpsim.report.page import render
from fxpsim.report.rundir import Run
from fxpsim.report.story import data, network, part_name
from fxpsim.report.strips import BitScale, Strip, bit_panels
from fxpsim.report.tables import Column, Table, table

_STREAMS = ("weight", "activation", "error", "gradient")


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    """A run with its streams."""

    run: Run
    histories: list[StreamHistory]


@dataclass(frozen=True, kw_only=True)
class MachineCard:
    """What the page shows of one accelerator."""

    name: str
    description: str
    table: Table
    figure: Figure | None
    assumptions: Sequence[str]
    not_counted: Sequence[str]
    formulas: Mapping[str, str]
    constants: Table


@dataclass(frozen=True, kw_only=True)
class Heat:
    """The heat map of one run."""

    name: str
    panels: dict[str, list[Strip]]
    steps: int


def comparison_page(runs: Sequence[Run], accelerators: Sequence[str]) -> str:
    """Return the HTML page that compares several runs, priced on the given accelerators."""
    compared = [Compared(run=run, histories=stream_histories(run.history, run.workload)) for run in runs]
    scale = BitScale.of([one for entry in compared for one in entry.histories])
    priced = {name: [price_run(run, name) for run in runs] for name in accelerators}
    return render(
        "compare.html.j2",
        title=_title(runs),
        sources=f"{len(runs)} run directories",
        story=_story(compared),
        overview=_overview(compared),
        notes=_notes(compared),
        figures=comparison_figures(runs),
        machines=[_machine_card(runs, entries) for entries in priced.values()],
        legend=scale.legend(),
        heats=[
            Heat(name=entry.run.name, panels=bit_panels(entry.histories, entry.run.steps, scale), steps=entry.run.steps)
            for entry in compared
        ],
    )


def reference(compared: Sequence[Compared], entry: Compared | None = None) -> Compared | None:
    """Return the float32 run that accuracies are compared with: the only one, or the only one of a run's recipe."""
    found = [one for one in compared if is_float(one.histories)]
    if len(found) > 1 and entry is not None:
        found = [one for one in found if one.run.recipe.get("name") == entry.run.recipe.get("name")]
    return found[0] if len(found) == 1 else None


def static_int8(compared: Sequence[Compared], entry: Compared) -> Compared | None:
    """Return the run of the same recipe with the method ``int8``, if there is just one."""
    name = entry.run.recipe.get("name")
    found = [one for one in compared if one.run.recipe.get("name") == name and part_name(one.run, "method") == "int8"]
    return found[0] if len(found) == 1 else None


def _overview(compared: Sequence[Compared]) -> Table:
    streams = [s for s in _STREAMS if any(one.stream == s for entry in compared for one in entry.histories)]
    columns = [
        Column(title="run", text=True),
        Column(title="method", text=True),
        Column(title="test accuracy", write=lambda share: percent(share, 2)),
        Column(title="against float32", unit="points", write=signed),
        Column(title="against int8", unit="points", write=signed),
        Column(title="mean bits", unit="all streams", write=significant),
        *(Column(title="", unit=stream, write=significant) for stream in streams),
        Column(title="steps"),
        Column(title="bit-exact", text=True),
    ]
    rows = []
    for entry in compared:
        run, bits = entry.run, mean_bits(entry.histories)
        rows.append(
            [
                run.name,
                part_name(run, "method"),
                run.accuracy,
                _points(entry, reference(compared, entry)),
                _points(entry, static_int8(compared, entry)),
                overall_bits(entry.histories, streams),
                *(bits.get(stream) for stream in streams),
                run.steps,
                {True: "yes", False: "no"}.get(run.summary.get("bit_exact"), "–"),  # type: ignore[call-overload]
            ]
        )
    return table(columns, rows)


def _points(entry: Compared, base: Compared | None) -> float | None:
    """Return how many percentage points of accuracy a run lies above another; None where that says nothing."""
    if base is None or base is entry or entry.run.accuracy is None or base.run.accuracy is None:
        return None
    return 100 * (entry.run.accuracy - base.run.accuracy)


def _notes(compared: Sequence[Compared]) -> list[str]:
    notes = ["Mean bits are means over all steps and all elements of the tensors; float32 counts as 32 bits."]
    if not any(reference(compared, entry) for entry in compared):
        notes.append("There is no single float32 run among these, so accuracies stand by themselves.")
    recipes = {(network(entry.run), data(entry.run), entry.run.steps) for entry in compared}
    if len(recipes) > 1:
        notes.append("These runs differ in network, data or number of steps: compare totals with care.")
    return notes


def _machine_card(runs: Sequence[Run], priced: Sequence[Priced]) -> MachineCard:
    first = priced[0]
    return MachineCard(
        name=first.accelerator.name,
        description=first.accelerator.description,
        table=_machine_table(runs, priced),
        figure=_trade_off(runs, priced),
        assumptions=first.result.assumptions,
        not_counted=first.result.not_counted,
        formulas=first.result.formulas,
        constants=constants_table(first.result),
    )


def _machine_table(runs: Sequence[Run], priced: Sequence[Priced]) -> Table:
    columns = [
        Column(title="run", text=True),
        Column(title="time", write=lambda s: scaled(s, "s"), bar=True),
        Column(title="energy", write=lambda pj: scaled(pj * 1e-12, "J"), bar=True),
        Column(title="", unit="low bound", write=lambda pj: scaled(pj * 1e-12, "J")),
        Column(title="", unit="high bound", write=lambda pj: scaled(pj * 1e-12, "J")),
        Column(title="MACs", write=scaled),
        Column(title="bit operations", write=scaled),
    ]
    keys = ("seconds", "energy_pj", "energy_low_pj", "energy_high_pj", "macs", "bit_ops")
    for baseline in first_baselines(priced):
        columns += [
            Column(title=f"against {baseline}", unit="faster by", write=ratio),
            Column(title="", unit="of its energy", write=percent),
        ]
    rows: list[list[Any]] = []
    for run, entry in zip(runs, priced, strict=True):
        gains = [entry.against(baseline) for baseline in entry.baselines]
        ratios = [value for gain in gains for value in (gain.speedup, gain.energy_ratio)]
        rows.append([run.name, *(entry.result.totals[key] for key in keys), *ratios])
    return table(columns, rows)


def first_baselines(priced: Sequence[Priced]) -> list[str]:
    """Return the names of the baselines, which are the same for all runs."""
    return list(priced[0].baselines)


def _trade_off(runs: Sequence[Run], priced: Sequence[Priced]) -> Figure | None:
    """Return accuracy over energy; None where an accuracy is unknown."""
    points = [
        Point(
            label=run.name,
            x=entry.energy_j,
            y=run.accuracy,
            x_range=entry.energy_range_j,
            color=series_style(place)["color"],
        )
        for place, (run, entry) in enumerate(zip(runs, priced, strict=True))
        if run.accuracy is not None
    ]
    if len(points) < len(runs):
        return None
    caption = "Test accuracy over the energy of the whole training; the bar spans the low and the high bound."
    return scatter(points, title="Accuracy and energy", caption=caption, x_label="energy", unit="J")


def _title(runs: Sequence[Run]) -> str:
    names = {str(run.recipe.get("name", run.name)) for run in runs}
    return f"{names.pop()}: {len(runs)} runs" if len(names) == 1 else f"{len(runs)} runs"


def _story(compared: Sequence[Compared]) -> str:
    """Return the sentences on top: the best run, and how far the shortest words are from float32."""
    known = [entry for entry in compared if entry.run.accuracy is not None]
    if not known:
        return f"{len(compared)} runs, none with a test accuracy."
    best = max(known, key=lambda entry: entry.run.accuracy or 0)
    text = (
        f"Of {len(compared)} runs, {best.run.name} gets most of the test split right: {percent(best.run.accuracy, 2)}."
    )
    base = reference(compared)
    others = [entry for entry in known if entry is not base]
    if base is None or base.run.accuracy is None or not others:
        return text
    shortest = min(others, key=lambda entry: overall_bits(entry.histories, _STREAMS))
    bits = significant(overall_bits(shortest.histories, _STREAMS))
    points = 100 * ((shortest.run.accuracy or 0) - base.run.accuracy)
    return (
        f"{text} {shortest.run.name} has the shortest words ({bits} bit in the mean) "
        f"and ends {signed(points)} points from float32."
    )
