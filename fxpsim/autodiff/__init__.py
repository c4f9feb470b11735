"""Tape, ops and engine: a network is written once and run by any interpreter."""

from fxpsim.autodiff.engine import Engine
from fxpsim.autodiff.op import Op
from fxpsim.autodiff.protocols import Counter, Precision, StreamQuantizer
from fxpsim.autodiff.tensor import Tensor

__all__ = ["Counter", "Engine", "Op", "Precision", "StreamQuantizer", "Tensor"]
