"""The precision of a run: method and policy as the tape asks for them, and the history they leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fxpsim import quantizers
from fxpsim.errors import UserError
from fxpsim.numerics import FixedFormat, RandomBits
from fxpsim.policies import policies
from fxpsim.records import STREAMS, HistoryRecorder
from fxpsim.registry import unknown
from fxpsim.train.recipe import Method
from fxpsim.units import CastCounts

MAC_STREAMS = ("weight", "activation", "error")


class RunPrecision:
    """Quantizers of all streams of all layers, moved by the policy, recorded in the history.

    Parameters
    ----------
    method : Method
        Quantizers and policy.
    layers : sequence of str
        Layers with weights, in the order of the network.
    random : RandomBits
        Source of the random keys.
    """

    def __init__(self, method: Method, layers: Sequence[str], random: RandomBits) -> None:
        self.layers, self.random = tuple(layers), random
        self.step = 0
        self.history = HistoryRecorder()
        self._base = {
            (layer, stream): self._build(method, layer, stream) for layer in layers for stream in self._streams(method)
        }
        table = dict(method.policy)
        name = table.pop("name", "static")
        self.policy = policies[name](**table)
        word_bits = {stream: q.word_bits for (_, stream), q in self._base.items() if q is not None}
        self.state = self.policy.init(self.layers, word_bits)
        self._current = dict(self._base)
        self._apply()

    def _streams(self, method: Method) -> tuple[str, ...]:
        for stream in method.streams:
            if stream.partition("@")[0] not in STREAMS:
                raise unknown("stream", stream, STREAMS, where=f"method {method.name}, streams")
        for layer in method.layers:
            if layer not in self.layers:
                raise unknown("layer", layer, self.layers, where=f"method {method.name}, layers")
        missing = [stream for stream in MAC_STREAMS if stream not in method.streams]
        if missing:
            raise UserError(
                f"stream {missing[0]!r} has no quantizer",
                where=f"method {method.name}, streams",
                expected="tables for " + ", ".join(MAC_STREAMS),
                remedy=f"add [streams.{missing[0]}]; quantizer = 'none' leaves it in float32",
            )
        return tuple(method.streams)

    def _build(self, method: Method, layer: str, stream: str) -> Any:
        table = method.layers.get(layer, {}).get(stream, method.streams[stream])
        return quantizers.build(table, where=f"method {method.name}, streams.{stream}")

    def _apply(self) -> None:
        """Give every quantizer the word length that the policy's state says."""
        for (layer, stream), base in self._base.items():
            if base is not None:
                bits = self.policy.word_bits(self.state, layer, stream)
                if self._current[layer, stream].word_bits != bits:
                    self._current[layer, stream] = replace(base, word_bits=bits)

    def begin_step(self, step: int) -> None:
        """Let the policy decide the bits of ``step``."""
        self.step = step
        state = self.policy.update(self.state, step)
        if state is not self.state:
            self.state = state
            self._apply()

    def restore(self, state: dict[str, Any]) -> None:
        """Take up the policy's state of a checkpoint."""
        self.state = state
        self._apply()

    def quantizer(self, layer: str, stream: str) -> Any:
        """Return the quantizer of a stream; None leaves it as the vector unit has it."""
        found = self._current.get((layer, stream))
        if found is None and "@" in stream:
            return self._current.get((layer, stream.partition("@")[0]))
        return found

    def record(self, layer: str, stream: str, fmt: FixedFormat | None, counts: CastCounts) -> None:
        """Enter a tensor into the history."""
        word_bits, frac_bits = (32, None) if fmt is None else (fmt.word_bits, fmt.frac_bits)
        self.history.record(
            self.step,
            layer,
            stream,
            word_bits,
            frac_bits,
            counts.elements,
            counts.nonzero,
            counts.saturated,
            counts.underflow,
        )

    def key(self, layer: str, stream: str) -> tuple[int, int]:
        """Return the random key of a stream in this step."""
        return self.random.derive("cast", layer, stream, self.step).key

    def mean_word_bits(self) -> float:
        """Return the mean word length over the operands of the MAC array (float32 counts as 32)."""
        bits = [32 if q is None else q.word_bits for (_, stream), q in self._current.items() if stream in MAC_STREAMS]
        return sum(bits) / len(bits)

    def float_streams(self) -> list[str]:
        """Return the operand streams that stay in float32."""
        return [s for s in MAC_STREAMS if any(q is None for (_, stream), q in self._current.items() if stream == s)]
