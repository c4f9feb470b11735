"""The engine: the units that execute the ops, the precision of the streams, and where in the network we are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np

from fxpsim.autodiff.protocols import Counter, Gating, Precision, StreamQuantizer
from fxpsim.units.coded import CodedOperand


class Engine:
    """An interpreter of ops.

    Parameters
    ----------
    mac : MacArray or a stand-in
        Executes matmul and convolutions.
    vector : VectorUnit
        Executes everything between them.
    precision : Precision, optional
        Quantizers of the streams; None leaves every stream as the vector unit has it.
    error_vector : VectorUnit, optional
        The vector unit of backward passes, where that is another one. It reads what ``vector`` left, and its method
        ``leave`` brings the gradient of a leaf back.
    """

    def __init__(
        self, mac: Any, vector: Any, precision: Precision | None = None, *, error_vector: Any | None = None
    ) -> None:
        self.mac, self.vector, self.precision, self.error_vector = mac, vector, precision, error_vector
        self.counter: Counter | None = None
        self.gating: Gating | None = None  # of methods whose gates choose word lengths
        # what weights became in the forward pass, by the id of their vector value; None where nobody asks
        self.quantized_weights: dict[int, Any] | None = None
        self._exponents: dict[tuple[str, str], int | None] = {}  # of the last tensor: a guess, never part of a result
        self.layer = ""
        self.pass_ = "forward"
        self.training = True
        self.recording = True

    def at(self, *, layer: str | None = None, pass_: str | None = None) -> AbstractContextManager[None]:
        """Say in which layer and pass the ops inside the block run."""
        return _Place(self, self.layer if layer is None else layer, self.pass_ if pass_ is None else pass_)

    @contextmanager
    def going_back(self) -> Iterator[None]:
        """Walk the tape inside the block: nothing is taped, and the vector unit is that of errors."""
        before = self.training, self.vector
        self.training, self.vector = False, self.error_vector or self.vector
        try:
            yield
        finally:
            self.training, self.vector = before

    @contextmanager
    def inference(self) -> Iterator[None]:
        """Keep no tape and no records inside the block."""
        before = self.training, self.recording
        self.training = self.recording = False
        try:
            yield
        finally:
            self.training, self.recording = before

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Compute as in training, but keep no records and count nothing: what could have been chosen."""
        before = self.recording, self.counter
        self.recording, self.counter = False, None
        try:
            yield
        finally:
            self.recording, self.counter = before

    def quantize(self, value: Any, stream: str) -> Any:
        """Turn a vector value into a MAC operand, by the quantizer of the stream."""
        precision = self.precision
        if precision is not None and self.recording and precision.wants(self.layer, stream):
            precision.observe(self.layer, stream, self.vector.array(value), value.frac_bits)
        quantizer: Any = precision.quantizer(self.layer, stream) if precision is not None else None
        if precision is not None and hasattr(quantizer, "encode_stream"):
            return self._kept(value, stream, self._encode(value, stream, quantizer, precision))
        if precision is None or quantizer is None:
            operand, counts = self.vector.operand(value)
            fmt = None
        else:
            key = precision.key(self.layer, stream) if quantizer.rounding.is_stochastic else (0, 0)
            operand, counts = self._cast(value, quantizer, stream, key)
            fmt = operand.format
        if precision is not None and self.recording:
            precision.record(self.layer, stream, fmt, counts)
        if self._read_again(stream):
            operand.source = stream, value
        return self._kept(value, stream, operand)

    def _kept(self, value: Any, stream: str, operand: Any) -> Any:
        """Return an operand, and keep it for whoever asks what a weight became."""
        if stream == "weight" and self.recording and self.quantized_weights is not None:
            self.quantized_weights[id(value)] = operand
        return operand

    def _read_again(self, stream: str) -> bool:
        """Return whether a backward pass will quantize a tensor anew."""
        return self.training and self.precision is not None and self.precision.apart(self.layer, stream)

    def _encode(self, value: Any, stream: str, quantizer: Any, precision: Precision) -> CodedOperand:
        """Turn a vector value into a coded operand."""
        random = precision.random_words(self.layer, stream) if quantizer.stochastic else None
        encoded = quantizer.encode_stream(self.vector.array(value), value.frac_bits, random)
        if self.recording:
            precision.record_codes(self.layer, stream, encoded.word_bits, encoded.counts, encoded.bits_histogram)
        return CodedOperand(
            encoded.codes,
            encoded.word_bits,
            encoded.step,
            encoded.offset,
            encoded.transform,
            encoded.products,
            (stream, value) if self._read_again(stream) else None,
            encoded.zero,
            encoded.cut,
        )

    def through_quantizer(self, grad: Any, value: Any, stream: str) -> Any:
        """Return the gradient in front of a quantizer, given the one behind it: straight through, unless it bounds.

        A quantizer of codes may clip or squash before it rounds; the gradient is then that of the clipped or squashed
        tensor. The policy gets to see the gradient if it wants.
        """
        precision = self.precision
        if precision is None:
            return grad
        if precision.wants_slope(self.layer, stream):
            arrays = self.vector.array(value), self.vector.array(grad)
            precision.observe_slope(self.layer, stream, *arrays, (value.frac_bits, grad.frac_bits))
        slope = getattr(precision.quantizer(self.layer, stream), "slope", None)
        found = slope(self.vector.array(value), value.frac_bits) if slope is not None else None
        return grad if found is None else self.vector.multiply(grad, self.vector.load(*found))

    def _cast(self, value: Any, quantizer: StreamQuantizer, stream: str, key: tuple[int, int]) -> Any:
        """Cast a value in the format that the quantizer chooses.

        Where that depends on the tensor's range, the range of the last tensor of this stream is taken for this one's
        and checked by the cast itself, which saves a pass; a cast in the wrong format is done again.
        """
        if not quantizer.needs_range:
            fmt = quantizer.format(None, nonnegative=value.nonnegative)
            return self.vector.cast(value, fmt, quantizer.rounding, key)
        place = self.layer, stream
        # an error's way ends here; activations and weights are read again on the way back
        reused = not stream.startswith("error")
        if place in self._exponents:
            fmt = quantizer.format(self._exponents[place], nonnegative=value.nonnegative)
            operand, counts, exponent = self.vector.cast_measured(value, fmt, quantizer.rounding, key, reused=reused)
        else:
            operand, counts, exponent = None, None, self.vector.leading_exponent(value)
        self._exponents[place] = exponent
        fmt = quantizer.format(exponent, nonnegative=value.nonnegative)
        if operand is None or (operand.format != fmt and reused):
            operand, counts = self.vector.cast(value, fmt, quantizer.rounding, key)
        elif operand.format != fmt:
            # nothing was stored: the program that has just run does it again, and no other need be compiled
            operand, counts, _ = self.vector.cast_measured(value, fmt, quantizer.rounding, key, reused=False)
        return operand, counts

    def tensor(self, array: np.ndarray, frac_bits: int | None = None) -> Any:
        """Return a tensor that holds an array (codes with ``frac_bits``, or floats) and needs no gradient."""
        from fxpsim.autodiff.tensor import Tensor

        return Tensor(self, self.vector.load(array, frac_bits))


class _Place:
    """The block of :meth:`Engine.at`; entered several times an op, which a generator would make slow."""

    __slots__ = ("before", "engine", "place")

    def __init__(self, engine: Engine, layer: str, pass_: str) -> None:
        self.engine, self.place = engine, (layer, pass_)

    def __enter__(self) -> None:
        engine = self.engine
        self.before = engine.layer, engine.pass_
        engine.layer, engine.pass_ = self.place

    def __exit__(self, *error: object) -> None:
        self.engine.layer, self.engine.pass_ = self.before
