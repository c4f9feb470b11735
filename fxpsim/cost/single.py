"""One evaluation, or an array of them: a GEMM of given operand bits on an accelerator."""

from collections.abc import Sequence

import numpy as np

from fxpsim.accelerator import Accelerator
from fxpsim.cost.arrays import Ints
from fxpsim.cost.compute import Gemm
from fxpsim.cost.evaluation import Piece
from fxpsim.cost.gemm import evaluate_gemm
from fxpsim.cost.states import StreamStates
from fxpsim.cost.traffic import Operands


def evaluate(
    accelerator: Accelerator,
    gemm: Gemm,
    *,
    a_bits: int | Sequence[int] | Ints,
    b_bits: int | Sequence[int] | Ints,
    out_bits: int | Sequence[int] | Ints | None = None,
) -> Piece:
    """Return the cost of one GEMM for integer operands of given widths, without leakage and work beside it.

    Parameters
    ----------
    accelerator : Accelerator
        The target.
    gemm : Gemm
        The shape and the tensors' elements.
    a_bits, b_bits, out_bits : int or array of int
        Word lengths, broadcast against each other; ``out_bits`` defaults to ``a_bits``.

    Returns
    -------
    Piece
        Arrays with one entry per setting.

    Examples
    --------
    >>> from fxpsim.accelerator import load
    >>> gemm = Gemm(m=3136, k=576, n=64, a_elements=200704, b_elements=36864, out_elements=200704)
    >>> evaluate(load("int8_systolic_32x32"), gemm, a_bits=[8, 16], b_bits=8).cycles.tolist()
    [116279, 232559]
    """
    a, b, out = np.broadcast_arrays(
        np.atleast_1d(a_bits), np.atleast_1d(b_bits), np.atleast_1d(a_bits if out_bits is None else out_bits)
    )
    operands = Operands(a=integer_states(a), b=integer_states(b), out=integer_states(out))
    return evaluate_gemm(accelerator, gemm, operands, ("a", "b", "out"))


def integer_states(word_bits: Ints) -> StreamStates:
    """Return dense integer states of these word lengths."""
    shape = word_bits.shape
    return StreamStates(
        word_bits=np.asarray(word_bits, np.int64),
        is_float=np.zeros(shape, np.bool_),
        nonzero=np.ones(shape),
        metadata_bits=np.zeros(shape),
        histogram=np.full(shape, -1),
        histograms=(),
    )
