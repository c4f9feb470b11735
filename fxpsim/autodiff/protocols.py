"""What the tape asks of precision and counting; ``train`` supplies the pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from fxpsim.numerics import FixedFormat, RandomBits, Rounding
from fxpsim.units import CastCounts


class StreamQuantizer(Protocol):
    """Chooses the format of a tensor of one stream of one layer."""

    rounding: Rounding

    def format(self, leading_exponent: int | None, *, nonnegative: bool) -> FixedFormat:
        """Return the format for a tensor whose magnitudes are below ``2**leading_exponent`` (None: all zero)."""
        ...

    @property
    def needs_range(self) -> bool:
        """Whether :meth:`format` looks at the leading exponent."""
        ...


class Encoded(Protocol):
    """What a tensor quantizer makes of a tensor: codes and how to read them."""

    codes: np.ndarray
    word_bits: int
    step: np.ndarray
    offset: np.ndarray
    transform: Any
    products: Any
    counts: CastCounts
    bits_histogram: Mapping[int, int] | None
    zero: int
    cut: tuple[int, ...]


class TensorStreamQuantizer(Protocol):
    """Turns a whole tensor of one stream of one layer into codes."""

    stochastic: bool

    def encode_stream(self, array: np.ndarray, frac_bits: int | None, random: RandomBits | None) -> Encoded:
        """Return the codes of a tensor (codes with ``frac_bits``, or binary32)."""
        ...

    def slope(self, array: np.ndarray, frac_bits: int | None) -> tuple[np.ndarray, int | None] | None:
        """Return the derivative of what the codes approximate, array and fraction length; None where it is 1."""
        ...


class Precision(Protocol):
    """Says how each stream of each layer is quantized and hears what came of it."""

    def quantizer(self, layer: str, stream: str) -> StreamQuantizer | TensorStreamQuantizer | None:
        """Return the quantizer of a stream; None leaves it as the vector unit has it."""
        ...

    def wants(self, layer: str, stream: str) -> bool:
        """Return whether :meth:`observe` wants the next tensor of a stream."""
        ...

    def observe(self, layer: str, stream: str, array: np.ndarray, frac_bits: int | None) -> None:
        """Look at a tensor (codes with ``frac_bits``, or binary32) before it is quantized; may move its quantizer."""
        ...

    def record(self, layer: str, stream: str, fmt: FixedFormat | None, counts: CastCounts) -> None:
        """Take note of a cast (or of a float stream, ``fmt`` None)."""
        ...

    def record_codes(
        self, layer: str, stream: str, word_bits: int, counts: CastCounts, bits_histogram: Mapping[int, int] | None
    ) -> None:
        """Take note of a tensor that a tensor quantizer encoded."""
        ...

    def apart(self, layer: str, stream: str) -> bool:
        """Return whether a pass reads a stream by a quantizer of its own (``stream@pass``)."""
        ...

    def wants_slope(self, layer: str, stream: str) -> bool:
        """Return whether :meth:`observe_slope` wants the gradient of the next tensor of a stream."""
        ...

    def observe_slope(
        self, layer: str, stream: str, array: np.ndarray, gradient: np.ndarray, points: tuple[int | None, int | None]
    ) -> None:
        """Look at an unquantized tensor and its gradient, with the fraction lengths of both."""
        ...

    def random_words(self, layer: str, stream: str) -> RandomBits:
        """Return the random bits of a stream in this step, those of :meth:`key`."""
        ...

    def key(self, layer: str, stream: str) -> tuple[int, int]:
        """Return the random key of a stream in this step."""
        ...


class Gating(Protocol):
    """Takes the choices of gates: which candidate of word lengths a block has for each sample."""

    @property
    def forward_words(self) -> Sequence[int]:
        """What tells the candidates' forward passes apart: those of one word length give the same output."""
        ...

    def choose(self, block: str, choice: np.ndarray) -> None:
        """Give every layer of a block the chosen word lengths, until the next choice."""
        ...

    def settle(self, block: str, choice: np.ndarray) -> None:
        """Choose, and take note: this is what the step executes."""
        ...

    def penalty(self) -> list[Fraction]:
        """Return what the cost adds to the gradient of a sample's shares, once all blocks have chosen."""
        ...


class Counter(Protocol):
    """Takes the rows of the workload."""

    def mac(
        self,
        layer: str,
        pass_: str,
        op: str,
        gemm: tuple[int, int, int],
        elements: tuple[int, int, int],
        count: int,
        kernel_positions: int = 1,
    ) -> None:
        """One row per kind of GEMM.

        (m, k, n), the elements of a, b and the result in memory, how many of them there are, and how many positions of
        a kernel k runs over (the rest of k is channels).
        """
        ...

    def vector(self, layer: str, pass_: str, op: str, read: int, write: int, operations: int) -> None:
        """Element-wise work: elements read, written, and operations."""
        ...
