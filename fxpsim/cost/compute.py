"""Compute cycles of a GEMM on the array: folds, passes, fill and drain."""

from dataclasses import dataclass

import numpy as np

from fxpsim.accelerator import Accelerator, Dataflow, Mapping
from fxpsim.cost.arrays import Floats, Ints, ceil_div, ceil_ints, round_up
from fxpsim.cost.rates import Rate


@dataclass(frozen=True, kw_only=True)
class Gemm:
    """One row of a workload: ``count`` products of m x k by k x n, and the elements of the tensors in memory."""

    m: int
    k: int
    n: int
    a_elements: int
    b_elements: int
    out_elements: int
    count: int = 1
    kernel_positions: int = 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all ``count`` products."""
        return self.m * self.k * self.n * self.count


@dataclass(frozen=True, kw_only=True)
class Folds:
    """How often the array is filled anew: along the reduction, along m and along n."""

    k: Ints
    m: int
    n: int


def reduction_steps(accelerator: Accelerator, gemm: Gemm, unroll: Ints) -> Ints:
    """Return the steps along k when ``unroll`` of it are done at once.

    ``im2col``: ``ceil(k / unroll)``. ``channels``: ``positions * ceil(k / positions / unroll)``.
    """
    if accelerator.mac_array.mapping is Mapping.IM2COL:
        return ceil_div(gemm.k, unroll)
    return gemm.kernel_positions * ceil_div(gemm.k // gemm.kernel_positions, unroll)


def folds_of(accelerator: Accelerator, gemm: Gemm, rate: Rate) -> Folds:
    """Return the folds of a GEMM in the accelerator's dataflow."""
    array = accelerator.mac_array
    match array.dataflow:
        case Dataflow.WEIGHT_STATIONARY:
            steps = reduction_steps(accelerator, gemm, array.rows * array.lanes * rate.fused)
            return Folds(k=steps, m=1, n=-(-gemm.n // array.columns))
        case Dataflow.INPUT_STATIONARY:
            steps = reduction_steps(accelerator, gemm, array.rows * array.lanes * rate.fused)
            return Folds(k=steps, m=-(-gemm.m // array.columns), n=1)
        case Dataflow.OUTPUT_STATIONARY:
            return Folds(k=np.ones_like(rate.fused), m=-(-gemm.m // array.rows), n=-(-gemm.n // array.columns))


def compute_cycles(accelerator: Accelerator, gemm: Gemm, rate: Rate) -> Ints:
    r"""Return the cycles that the array works on a GEMM when no memory makes it wait.

    With H rows, W columns, p passes, s cycles a step and F folds,

    - weight stationary: ``F p (2H + W + m s - 2) - 1`` with ``F = ceil(k/H) ceil(n/W)``; input stationary with m and
      n exchanged;
    - output stationary: ``F (p s ceil(k/lanes) + H + W - 2) - 1`` with ``F = ceil(m/H) ceil(n/W)``;
    - without fill and drain only the ``m s``, ``n s`` or ``p s ceil(k/lanes)`` steps remain, and no ``- 1``.

    The closed forms with fill are those of SCALE-Sim, which numbers cycles from 0, hence the ``- 1``.
    """
    array = accelerator.mac_array
    if rate.macs_per_cycle is not None:
        work = round_up(gemm.m, array.rows) * round_up(gemm.n, array.columns) * round_up(gemm.k, array.lanes)
        return ceil_ints(int(work) * gemm.count / rate.macs_per_cycle)
    folds = folds_of(accelerator, gemm, rate)
    if array.dataflow is Dataflow.OUTPUT_STATIONARY:
        steps = reduction_steps(accelerator, gemm, array.lanes * rate.fused) * rate.passes * rate.step_cycles
        fill, repeats = array.rows + array.columns - 2, np.full(rate.fused.shape, folds.m * folds.n, np.int64)
    else:
        streamed = gemm.m if array.dataflow is Dataflow.WEIGHT_STATIONARY else gemm.n
        steps = streamed * rate.step_cycles
        fill, repeats = 2 * array.rows + array.columns - 2, folds.k * folds.m * folds.n * rate.passes
    if not array.fill_drain:
        return repeats * steps * gemm.count
    return (repeats * (steps + fill) - 1) * gemm.count


def ideal_cycles(accelerator: Accelerator, gemm: Gemm, rate: Rate) -> Floats:
    """Return the cycles with every processing element busy: ``macs * element cycles / elements``."""
    if rate.macs_per_cycle is not None:
        return gemm.macs * rate.element_cycles
    array = accelerator.mac_array
    return gemm.macs * rate.element_cycles / (array.rows * array.columns * array.lanes)
