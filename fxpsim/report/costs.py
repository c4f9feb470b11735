"""The cost section: one run priced on one accelerator, beside float32 and static 8 bit on the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fxpsim import accelerator as accelerators
from fxpsim.report.numbers import percent, ratio, scaled
from fxpsim.report.rundir import Run
from fxpsim.report.tables import Column, Table, table

if TYPE_CHECKING:
    from fxpsim.accelerator import Accelerator
    from fxpsim.cost import Comparison, CostResult

# name -> word_bits of the streams; in the second, gradients stay in 32 bits
_BASELINES = {"float32": 32, "static 8 bit": {"weight": 8, "activation": 8, "error": 8}}


@dataclass(frozen=True, kw_only=True, eq=False)
class Priced:
    """A run on an accelerator, and the same steps at the baselines' word lengths."""

    accelerator: "Accelerator"
    result: "CostResult"
    baselines: "dict[str, CostResult]"

    @property
    def time_s(self) -> float:
        """Modeled time of the whole training."""
        return self.result.totals["seconds"]

    @property
    def energy_j(self) -> float:
        """Modeled energy of the whole training."""
        return self.result.totals["energy_pj"] * 1e-12

    @property
    def energy_range_j(self) -> tuple[float, float]:
        """Low and high bound of the energy."""
        return self.result.totals["energy_low_pj"] * 1e-12, self.result.totals["energy_high_pj"] * 1e-12

    def against(self, baseline: str) -> "Comparison":
        """Return speed-up, energy ratio and model-size ratio against a baseline."""
        from fxpsim.cost import compare

        return compare(self.result, self.baselines[baseline], name=f"{baseline} on the same accelerator")


@dataclass(frozen=True, kw_only=True)
class CostCard:
    """What the page shows of one accelerator."""

    name: str
    description: str
    against: Table
    details: tuple[Table, ...]
    assumptions: Sequence[str]
    not_counted: Sequence[str]
    constants: Table
    formulas: Mapping[str, str]


def price_run(run: Run, accelerator: str) -> Priced:
    """Price a run and its baselines on an accelerator: a name or a path, with ``KEY=VALUE`` for what is changed."""
    from fxpsim.cost import baseline_history, price

    target = accelerators.load_changed(accelerator)
    begin = int(run.history["step_begin"].to_numpy().min())
    histories = {
        name: baseline_history(
            run.workload, word_bits=bits, steps=run.steps - begin, step_begin=begin, like=run.history
        )
        for name, bits in _BASELINES.items()
    }
    return Priced(
        accelerator=target,
        result=price(run.workload, run.history, target, vector_workload=run.vector_workload),
        baselines={
            name: price(run.workload, history, target, vector_workload=run.vector_workload)
            for name, history in histories.items()
        },
    )


def cost_card(priced: Priced) -> CostCard:
    """Return the tables of one accelerator."""
    return CostCard(
        name=priced.accelerator.name,
        description=priced.accelerator.description,
        against=_against(priced),
        details=(
            _breakdown(priced, priced.result.by_pass(), "pass", "By pass"),
            _breakdown(priced, priced.result.by_layer(), "layer", "By layer"),
            _traffic(priced),
        ),
        assumptions=priced.result.assumptions,
        not_counted=priced.result.not_counted,
        constants=constants_table(priced.result),
        formulas=priced.result.formulas,
    )


def constants_table(result: "CostResult") -> Table:
    """Return every constant with its unit and source."""
    columns = [
        Column(title="constant", text=True),
        Column(title="value"),
        Column(title="unit", text=True),
        Column(title="source", text=True, wide=True),
    ]
    return table(columns, [[c.key, str(c.value), c.unit, c.source] for c in result.constants])


def _against(priced: Priced) -> Table:
    """Return this run beside its baselines: time, energy with bounds, size, work."""
    columns = [
        Column(title="whole training", text=True),
        Column(title="time", write=lambda s: scaled(s, "s")),
        Column(title="energy", write=lambda pj: scaled(pj * 1e-12, "J")),
        Column(title="", unit="low bound", write=lambda pj: scaled(pj * 1e-12, "J")),
        Column(title="", unit="high bound", write=lambda pj: scaled(pj * 1e-12, "J")),
        Column(title="weights", unit="at the end", write=lambda bits: f"{scaled(bits / 8, 'B')}"),
        Column(title="MACs", write=scaled),
        Column(title="bit operations", write=scaled),
        Column(title="this run", unit="is faster by", write=ratio),
        Column(title="", unit="takes of the energy", write=percent),
    ]
    keys = ("seconds", "energy_pj", "energy_low_pj", "energy_high_pj", "model_bits", "macs", "bit_ops")
    rows: list[list[Any]] = [["this run", *(priced.result.totals[key] for key in keys), None, None]]
    for name, result in priced.baselines.items():
        gain = priced.against(name)
        rows.append([name, *(result.totals[key] for key in keys), gain.speedup, gain.energy_ratio])
    return table(columns, rows)


def _breakdown(priced: Priced, frame: Any, key: str, caption: str) -> Table:
    memories = list(priced.accelerator.memory)
    seconds = 1 / (priced.accelerator.frequency_mhz * 1e6)
    columns = [
        Column(title=key, text=True),
        Column(title="MACs", write=scaled),
        Column(title="bit operations", write=scaled),
        Column(title="time", write=lambda cycles: scaled(cycles * seconds, "s"), bar=True),
        Column(title="energy", write=lambda pj: scaled(pj * 1e-12, "J"), bar=True),
        *(Column(title=name, unit="bits moved", write=lambda bits: scaled(bits, "bit")) for name in memories),
    ]
    rows = [
        [
            str(row[key]),
            *(row[name] for name in ("macs", "bit_ops", "latency_cycles", "energy_pj")),
            *(row[f"{name}_read_bits"] + row[f"{name}_write_bits"] for name in memories),
        ]
        for row in frame.to_dict("records")
    ]
    sums = ["sum", *(sum(row[place] for row in rows) for place in range(1, len(columns)))]
    return table(columns, [*rows, sums], caption=caption, total=True)


def _traffic(priced: Priced) -> Table:
    """Return bits read and written of each memory."""
    columns = [
        Column(title="memory", text=True),
        Column(title="read", write=lambda bits: scaled(bits, "bit"), bar=True),
        Column(title="written", write=lambda bits: scaled(bits, "bit"), bar=True),
        *(Column(title="moved in all", unit=f"of {name}", write=percent) for name in priced.baselines),
    ]
    rows = []
    for name in priced.accelerator.memory:
        moved = [priced.result.totals[f"{name}_{way}_bits"] for way in ("read", "write")]
        others = [
            sum(result.totals[f"{name}_{way}_bits"] for way in ("read", "write"))
            for result in priced.baselines.values()
        ]
        rows.append([name, *moved, *(sum(moved) / other if other else None for other in others)])
    return table(columns, rows, caption="Memory traffic")
