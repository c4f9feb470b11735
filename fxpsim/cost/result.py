"""What a pricing gives back: tables, totals, and everything needed to trace a number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fxpsim.accelerator import Accelerator
from fxpsim.cost.arrays import Frame, Ints, exact_total, float_total
from fxpsim.cost.explain import Constant, assumptions, constants, not_counted
from fxpsim.cost.formulas import formulas
from fxpsim.cost.frames import categories_of, frame_of
from fxpsim.cost.groups import Group
from fxpsim.cost.plan import Plan

ENERGIES = ("energy_pj", "energy_low_pj", "energy_high_pj")
COUNTS = ("macs", "bit_ops", "compute_cycles", "latency_cycles")


@dataclass(frozen=True)
class CostResult:
    """The priced run. ``totals``, ``table``, ``by_layer()``, ``by_pass()``, ``by_work()``, ``traffic()`` hold numbers;
    ``assumptions``, ``constants``, ``formulas`` and ``not_counted`` say what is behind them.
    """  # noqa: D205

    plan: Plan
    groups: tuple[Group, ...]

    @property
    def accelerator(self) -> Accelerator:
        """The accelerator that was priced."""
        return self.plan.accelerator

    @cached_property
    def totals(self) -> dict[str, Any]:
        """Sums over the run: counts are exact integers, energies in pJ, memory traffic in bits.

        Also ``utilization`` (share of the array that works during ``compute_cycles``), ``seconds`` (latency at the
        accelerator's frequency), ``steps``, ``model_bits`` (weights at the last step) and ``stored_activation_bits``
        (kept from forward to weight gradient, at most).
        """
        return _totals(self.groups, self.accelerator) | {
            "seconds": sum(exact_total(group.latency_cycles, group.settings.steps) for group in self.groups)
            / (self.accelerator.frequency_mhz * 1e6),
            "steps": self.plan.timeline.step_end - self.plan.timeline.step_begin,
            "model_bits": self._model_bits(),
            "stored_activation_bits": self._stored_activation_bits(),
        }

    @cached_property
    def table(self) -> Frame:
        """The cost table: one row per layer, pass and interval; every value is for the whole interval.

        ``step_begin``, ``step_end`` (steps), ``layer``, ``pass``, ``macs``, ``bit_ops``, ``latency_cycles``,
        ``energy_pj``, ``energy_low_pj``, ``energy_high_pj``, ``<memory>_read_bits``, ``<memory>_write_bits``,
        ``compute_cycles``.
        """
        lengths = [len(group.settings.begin) for group in self.groups]
        columns: dict[str, Any] = {
            "step_begin": np.concatenate([group.settings.begin for group in self.groups]),
            "step_end": np.concatenate([group.settings.end for group in self.groups]),
            "layer": _repeated([group.layer for group in self.groups], lengths),
            "pass": _repeated([group.of_pass for group in self.groups], lengths),
        }
        for name in ("macs", "bit_ops", "latency_cycles"):
            columns[name] = self._column(lambda group, name=name: getattr(group, name))
        for name in ENERGIES:
            columns[name] = self._column(lambda group, name=name: getattr(group, name))
        for name in self.accelerator.memory:
            columns[f"{name}_read_bits"] = self._column(lambda group, name=name: group.memory_bits[name][0])
            columns[f"{name}_write_bits"] = self._column(lambda group, name=name: group.memory_bits[name][1])
        columns["compute_cycles"] = self._column(lambda group: group.compute_cycles)
        return frame_of(columns)

    def by_layer(self) -> Frame:
        """Totals by layer, in the order of the workload."""
        return self._grouped(lambda group: group.layer, "layer")

    def by_pass(self) -> Frame:
        """Totals by pass."""
        return self._grouped(lambda group: group.of_pass, "pass")

    def by_work(self) -> Frame:
        """Totals by kind of work, listed apart: GEMMs, requantization, stored copies, recomputation, update,
        element-wise work, random bits, policy. Latency here is that of the work alone, before overlap; leakage has
        its own row.
        """  # noqa: D205
        rows: dict[str, dict[str, Any]] = {}
        for group in self.groups:
            steps = group.settings.steps
            for piece in group.pieces:
                row = rows.setdefault(piece.work.value, {"work": piece.work.value})
                _, memory_low, memory_high = piece.memory_pj(self.accelerator)
                values = {
                    "macs": exact_total(piece.macs, steps),
                    "bit_ops": exact_total(piece.bit_ops, steps),
                    "latency_cycles": exact_total(piece.latency, steps),
                    "energy_pj": float_total(piece.unit_pj + piece.memory_pj(self.accelerator)[0], steps),
                    "unit_energy_pj": float_total(piece.unit_pj, steps),
                    "energy_low_pj": float_total(piece.unit_low_pj + memory_low, steps),
                    "energy_high_pj": float_total(piece.unit_high_pj + memory_high, steps),
                }
                for name in self.accelerator.memory:
                    read, write = piece.memory_bits(name)
                    values[f"{name}_read_bits"] = exact_total(read, steps)
                    values[f"{name}_write_bits"] = exact_total(write, steps)
                for name, value in values.items():
                    row[name] = row.get(name, 0) + value
        leakage = sum(float_total(group.leakage_pj, group.settings.steps) for group in self.groups)
        blank = dict.fromkeys(next(iter(rows.values())), 0)
        rows["leakage"] = blank | {"work": "leakage"} | dict.fromkeys(ENERGIES, leakage)
        return frame_of(list(rows.values()))

    def traffic(self) -> Frame:
        """Bits and bytes through every memory by pass and stream."""
        rows: dict[tuple[str, str, str], dict[str, Any]] = {}
        for group in self.groups:
            for piece in group.pieces:
                for kind, moved in (("read", piece.reads), ("write", piece.writes)):
                    for (memory, stream), bits in moved.items():
                        key = (memory, group.of_pass, stream)
                        blank = {"memory": memory, "pass": key[1], "stream": stream, "read_bits": 0, "write_bits": 0}
                        rows.setdefault(key, blank)[f"{kind}_bits"] += exact_total(bits, group.settings.steps)
        frame = frame_of(list(rows.values()))
        frame["bytes"] = (frame["read_bits"] + frame["write_bits"]) / 8
        return frame[(frame["read_bits"] + frame["write_bits"]) > 0].reset_index(drop=True)

    @cached_property
    def assumptions(self) -> list[str]:
        """What the numbers take for granted, in sentences."""
        return assumptions(self.plan)

    @cached_property
    def not_counted(self) -> list[str]:
        """What has no number here."""
        return not_counted(self.plan)

    @cached_property
    def constants(self) -> list[Constant]:
        """Every constant of the accelerator file: key, value, unit, source."""
        return constants(self.accelerator)

    @cached_property
    def formulas(self) -> dict[str, str]:
        """The formula behind every column."""
        return formulas(self.accelerator)

    def _column(self, value: Callable[[Group], Any]) -> Any:
        parts = [value(group)[group.settings.setting] for group in self.groups]
        lengths = [group.settings.end - group.settings.begin for group in self.groups]
        safe = all(
            float(np.max(part, initial=0)) * float(np.max(length)) < 2.0**63
            for part, length in zip(parts, lengths, strict=True)
        )
        if not safe:  # beyond 64 bits a table holds the nearest binary64; totals stay exact
            parts = [part.astype(np.float64) for part in parts]
        return np.concatenate([part * length for part, length in zip(parts, lengths, strict=True)])

    def _grouped(self, key: Callable[[Group], str], name: str) -> Frame:
        found: dict[str, list[Group]] = {}
        for group in self.groups:
            found.setdefault(key(group), []).append(group)
        rows = [{name: value} | _totals(groups, self.accelerator) for value, groups in found.items()]
        return frame_of(rows)

    def _model_bits(self) -> int:
        total = 0.0
        for layer, elements in self.plan.weights.items():
            intervals = self.plan.timeline.require(layer, "weight", "forward")
            last = self.plan.timeline.states.take(intervals.state[-1:])
            total += elements * float(last.mean_bits[0] + last.metadata_bits[0])
        return round(total)

    def _stored_activation_bits(self) -> int:
        """Sum over layers of the largest activation that waits for its weight gradient; 0 when recomputed."""
        if self.plan.options.recompute:
            return 0
        total = 0.0
        for (layer, of_pass), work in self.plan.gemms.items():
            if of_pass == "weight_grad" and layer not in self.plan.options.frozen:
                intervals = self.plan.timeline.require(layer, "activation", "weight_grad")
                states = self.plan.timeline.states.take(np.unique(intervals.state))
                bits = float(np.max(states.mean_bits + states.metadata_bits))
                total += sum(gemm.a_elements for gemm in work.gemms) * bits
        return round(total)


def _totals(groups: Sequence[Group], accelerator: Accelerator) -> dict[str, Any]:
    def count(values: Callable[[Group], Ints]) -> int:
        return sum(exact_total(values(group), group.settings.steps) for group in groups)

    result: dict[str, Any] = {name: count(lambda group, name=name: getattr(group, name)) for name in COUNTS}
    for name in ENERGIES:
        result[name] = sum(float_total(getattr(group, name), group.settings.steps) for group in groups)
    for name in accelerator.memory:
        result[f"{name}_read_bits"] = count(lambda group, name=name: group.memory_bits[name][0])
        result[f"{name}_write_bits"] = count(lambda group, name=name: group.memory_bits[name][1])
    ideal = sum(float_total(group.ideal_cycles, group.settings.steps) for group in groups)
    result["utilization"] = ideal / result["compute_cycles"] if result["compute_cycles"] else 0.0
    return result


def _repeated(names: Sequence[str], lengths: Sequence[int]) -> Any:
    categories = list(dict.fromkeys(names))
    codes = np.repeat(np.array([categories.index(name) for name in names], np.int32), lengths)
    return categories_of(codes, categories)
