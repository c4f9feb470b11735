"""Fixed-point arrays: casts, exact arithmetic, accumulators, matrix products and functions."""

from fxpsim.array.accumulator import Accumulator, OverflowRisk, RangeProof
from fxpsim.array.arithmetic import multiply
from fxpsim.array.casting import cast
from fxpsim.array.counts import CastCounts
from fxpsim.array.joining import concatenate, stack
from fxpsim.array.products import conv2d, matmul
from fxpsim.array.qtensor import QTensor
from fxpsim.array.scale import Scale

__all__ = [
    "Accumulator",
    "CastCounts",
    "OverflowRisk",
    "QTensor",
    "RangeProof",
    "Scale",
    "cast",
    "concatenate",
    "conv2d",
    "matmul",
    "multiply",
    "stack",
]
