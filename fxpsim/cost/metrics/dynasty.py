"""DYNASTY-style speed-up of block-wise word lengths: ideal, and in lock step."""

import numpy as np

from fxpsim.cost.arrays import Floats, Ints, float_total
from fxpsim.cost.blocks import mean_pair_cost
from fxpsim.cost.metrics.joined import Metric, Record


def dynasty(joined: Record, *, lockstep_blocks: int = 16, baseline_bits: int = 8) -> list[Metric]:
    """Return the speed-up over a baseline in which every product takes ``baseline_bits`` cycles.

    A product takes as many cycles as its narrower operand has bits; blocks of 0 bits are skipped. Ideal: mean over
    blocks. Lock step: mean of the maximum over ``lockstep_blocks`` independent pairs. All three GEMMs count alike.
    DYNASTY (Liu et al., ASP-DAC 2023) publishes no formula; this is our reconstruction.
    """
    ideal = locked = base = 0.0
    pairs = (("activation", "forward"), ("weight", "forward"), ("error", "input_grad"), ("weight", "input_grad"))
    for macs, settings in joined.layers(*pairs, ("activation", "weight_grad"), ("error", "weight_grad")):
        roles = settings.roles
        for a, b in (
            ("activation@forward", "weight@forward"),
            ("error@input_grad", "weight@input_grad"),
            ("activation@weight_grad", "error@weight_grad"),
        ):
            mean = mean_pair_cost(roles[a], roles[b], _narrower)
            slowest = mean_pair_cost(roles[a], roles[b], _narrower, lockstep_blocks=lockstep_blocks)
            ideal += float_total(macs * mean, settings.steps)
            locked += float_total(macs * slowest, settings.steps)
            base += float(macs) * baseline_bits * joined.steps
    convention = f"cycles of a product: bits of its narrower operand; baseline {baseline_bits} bits; our reconstruction"
    return [
        Metric(
            name="dynasty_ideal_speedup", value=base / ideal, unit="ratio", convention=convention + "; mean of blocks"
        ),
        Metric(
            name="dynasty_lockstep_speedup",
            value=base / locked,
            unit="ratio",
            convention=convention + f"; maximum of {lockstep_blocks} independent pairs",
        ),
    ]


def _narrower(a: Ints, b: Ints) -> Floats:
    return np.minimum(a, b).astype(np.float64)
