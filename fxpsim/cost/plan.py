"""From the two tables to work: which streams a pass reads, and the pieces of its cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fxpsim.accelerator import Accelerator
from fxpsim.cost.arrays import Frame
from fxpsim.cost.compute import Gemm
from fxpsim.cost.evaluation import Piece, Work
from fxpsim.cost.gemm import evaluate_gemm
from fxpsim.cost.groups import Group, group_of
from fxpsim.cost.options import Options
from fxpsim.cost.sides import (
    REQUANTIZE_OPS,
    accumulator_random_bits,
    policy_piece,
    random_piece,
    requantize_piece,
    stored_copy_piece,
    update_piece,
    update_random_bits,
    vector_piece,
)
from fxpsim.cost.timeline import Intervals, Settings, Timeline
from fxpsim.cost.traffic import Operands

# pass -> streams of operand a, operand b and the result
ROLES = {
    "forward": ("activation", "weight", "activation"),
    "input_grad": ("error", "weight", "error"),
    "weight_grad": ("activation", "error", "gradient"),
}


@dataclass(frozen=True, kw_only=True)
class Gemms:
    """The GEMMs of one pass of one layer."""

    layer: str
    of_pass: str
    gemms: tuple[Gemm, ...]


@dataclass(frozen=True, kw_only=True)
class Vector:
    """One row of element-wise work."""

    op: str
    sizes: tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that is needed to price a run: work by layer and pass, the timeline and its default states."""

    accelerator: Accelerator
    options: Options
    timeline: Timeline
    gemms: dict[tuple[str, str], Gemms]
    vectors: dict[tuple[str, str], tuple[Vector, ...]]
    defaults: dict[str, int]

    @cached_property
    def weights(self) -> dict[str, int]:
        """Weight elements by layer: operand b of its forward GEMMs, unless that is an activation."""
        return {
            layer: sum(gemm.b_elements for gemm in work.gemms)
            for (layer, of_pass), work in self.gemms.items()
            if of_pass == "forward" and layer not in self.products
        }

    @cached_property
    def products(self) -> frozenset[str]:
        """Layers that multiply two activations."""
        return self.timeline.products

    def groups(self) -> list[Group]:
        """Price every pass of every layer, in the order of the workload, then element-wise layers."""
        result: list[Group] = []
        for key, work in self.gemms.items():
            if key[1] == "weight_grad" and key[0] in self.options.frozen:
                continue
            result.append(self._gemm_group(work))
            if key[1] == "weight_grad" and self.options.update and key[0] in self.weights:
                result.append(self._update_group(key[0]))
        priced = {(group.layer, group.of_pass) for group in result}
        for layer, of_pass in self.vectors:
            if (layer, of_pass) not in priced and not (of_pass == "update" and layer in self.options.frozen):
                settings = self.timeline.settings({})
                pieces = self._vector_pieces(layer, of_pass, settings.count)
                result.append(group_of(self.accelerator, layer, of_pass, settings, pieces))
        return result

    def stream(self, layer: str, stream: str, of_pass: str) -> Intervals | int:
        """Return a stream's intervals, or the number of its default state when no layer's history mentions it.

        The "weight gradient" of a product of two activations is a sum of the accumulator for the other operand.
        """
        mentioned = any(name.split("@")[0] == stream for _, name in self.timeline.streams)
        if stream in self.defaults and (layer in self.products or not mentioned):
            return self.defaults[stream]
        return self.timeline.require(layer, stream, of_pass)

    def _gemm_group(self, work: Gemms) -> Group:
        layer, of_pass = work.layer, work.of_pass
        names = ROLES[of_pass]
        roles = {
            "a": self.stream(layer, names[0], of_pass),
            "b": self.stream(layer, names[1], of_pass),
            "out": self.stream(layer, names[2], of_pass),
        }
        copy = self.timeline.streams.get((layer, "activation@weight_grad"))
        has_gradient = (layer, "weight_grad") in self.gemms and layer not in self.options.frozen
        copies = of_pass == "forward" and copy is not None and has_gradient and not self.options.recompute
        if copies:
            roles["copy"] = self.stream(layer, "activation", "weight_grad")
        again = self.gemms.get((layer, "forward")) if of_pass == "weight_grad" and self.options.recompute else None
        if again is not None:
            roles["again_a"] = self.stream(layer, "activation", "forward")
            roles["again_b"] = self.stream(layer, "weight", "forward")
        settings = self.timeline.settings(roles)
        states = settings.roles
        operands = Operands(a=states["a"], b=states["b"], out=states["out"])
        labels = (names[0], names[1], "gradient" if of_pass == "weight_grad" else names[2])
        pieces = [evaluate_gemm(self.accelerator, gemm, operands, labels) for gemm in work.gemms]
        if again is not None:
            first = Operands(a=states["again_a"], b=states["again_b"], out=states["a"])
            pieces += [
                evaluate_gemm(self.accelerator, gemm, first, ROLES["forward"], Work.RECOMPUTE) for gemm in again.gemms
            ]
        if copies:
            elements = sum(gemm.a_elements for gemm in work.gemms)
            pieces.append(stored_copy_piece(self.accelerator, states["copy"], states["a"], elements))
        pieces += self._gemm_sides(work, settings)
        return group_of(self.accelerator, layer, of_pass, settings, pieces)

    def _gemm_sides(self, work: Gemms, settings: Settings) -> list[Piece]:
        """Requantization, random bits, element-wise rows and the policy's work of one pass."""
        key, count = (work.layer, work.of_pass), settings.count
        results = sum(gemm.out_elements for gemm in work.gemms)
        pieces = self._vector_pieces(*key, count)
        if not any(vector.op in REQUANTIZE_OPS for vector in self.vectors.get(key, ())):
            pieces.append(requantize_piece(self.accelerator, results, count))
        random = accumulator_random_bits(self.accelerator, sum(gemm.macs for gemm in work.gemms))
        random += self.options.random_bits.get(ROLES[work.of_pass][2], 0) * results
        if random:
            pieces.append(random_piece(self.accelerator, np.full(count, float(random))))
        if self.options.policy_operations_per_element:
            pieces.append(policy_piece(self.accelerator, results, self.options, count))
        return pieces

    def _vector_pieces(self, layer: str, of_pass: str, count: int) -> list[Piece]:
        return [
            vector_piece(self.accelerator, vector.op, vector.sizes, self.options, count, update=of_pass == "update")
            for vector in self.vectors.get((layer, of_pass), ())
        ]

    def _update_group(self, layer: str) -> Group:
        weights = self.weights[layer]
        names = ["gradient", "master", "weight", *(["momentum"] if self.options.momentum else [])]
        settings = self.timeline.settings({name: self.stream(layer, name, "update") for name in names})
        rows: Sequence[Vector] = self.vectors.get((layer, "update"), ())
        operations = float(sum(row.sizes[2] for row in rows)) or weights * self.options.update_operations_per_weight
        pieces = [update_piece(self.accelerator, settings, weights, operations, momentum=self.options.momentum)]
        random = update_random_bits(self.accelerator, weights)
        if random:
            pieces.append(random_piece(self.accelerator, np.full(settings.count, random)))
        return group_of(self.accelerator, layer, "update", settings, pieces)


def gemms_of(workload: Frame) -> dict[tuple[str, str], Gemms]:
    """Return the GEMMs of a validated workload by layer and pass, in the order of their first rows."""
    rows: dict[tuple[str, str], list[Gemm]] = {}
    numbers = ("m", "k", "n", "a_elements", "b_elements", "out_elements", "count", "kernel_positions")
    columns = [workload[name].tolist() for name in ("layer", "pass", *numbers)]
    for layer, of_pass, *values in zip(*columns, strict=True):
        rows.setdefault((layer, of_pass), []).append(Gemm(**dict(zip(numbers, values, strict=True))))
    return {key: Gemms(layer=key[0], of_pass=key[1], gemms=tuple(gemms)) for key, gemms in rows.items()}


def vectors_of(vector_workload: Frame | None) -> dict[tuple[str, str], tuple[Vector, ...]]:
    """Return the rows of a validated element-wise table by layer and pass."""
    if vector_workload is None:
        return {}
    rows: dict[tuple[str, str], list[Vector]] = {}
    names = ("layer", "pass", "op", "read_elements", "write_elements", "operations")
    for layer, of_pass, op, *sizes in zip(*(vector_workload[name].tolist() for name in names), strict=True):
        rows.setdefault((layer, of_pass), []).append(Vector(op=op, sizes=(sizes[0], sizes[1], sizes[2])))
    return {key: tuple(vectors) for key, vectors in rows.items()}
