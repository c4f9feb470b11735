"""The precision of a run: method and policy as the tape asks for them, and the history they leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import numpy as np

from fxpsim import quantizers
from fxpsim.errors import UserError
from fxpsim.numerics import FixedFormat, RandomBits
from fxpsim.policies import Moment, Sample, Statistics, from_json, policies, to_json
from fxpsim.records import PASSES, STREAMS, HistoryRecorder
from fxpsim.registry import unknown
from fxpsim.train.gates import Gates
from fxpsim.train.recipe import Method
from fxpsim.units import CastCounts

MAC_STREAMS = ("weight", "activation", "error")
ENDS = ("first", "last")
"""Names under which a method can mean the first and the last layer of any network."""


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
    steps_per_epoch, steps : int
        For policies that count in epochs, or in shares of the run.
    """

    def __init__(
        self,
        method: Method,
        layers: Sequence[str],
        random: RandomBits,
        *,
        steps_per_epoch: int = 1,
        steps: int = 0,
    ) -> None:
        self.layers, self.random = tuple(layers), random
        self.steps_per_epoch, self.steps = steps_per_epoch, steps
        self.step = 0
        self.history = HistoryRecorder()
        self._casts: dict[tuple[str, str], int] = {}
        self.decisions: list[dict[str, Any]] = []
        self._base = {
            (layer, stream): self._build(method, layer, stream) for layer in layers for stream in self._streams(method)
        }
        self.policy = _policy(method)
        # a layer with a table of its own keeps what that says: the policy moves the others
        self._own = {(layer, stream) for layer in self.layers for stream in self._tables(method, layer)}
        self._apart = frozenset(stream.partition("@")[0] for stream in method.streams if "@" in stream)
        general = {stream: self._build(method, "", stream) for stream in method.streams}
        word_bits = {stream: q.word_bits for stream, q in general.items() if q is not None}
        self.state = self.policy.init(self.layers, word_bits)
        self._nonzero: dict[str, tuple[int, int]] = {}
        self._current = dict(self._base)
        gated = hasattr(self.policy, "candidates")
        self.gates = Gates(self.policy, lambda: self.state, self._current) if gated else None
        self._apply()

    def _streams(self, method: Method) -> tuple[str, ...]:
        for stream in method.streams:
            if stream.partition("@")[0] not in STREAMS:
                raise unknown("stream", stream, STREAMS, where=f"method {method.name}, streams")
            of_pass = stream.partition("@")[2]
            if of_pass and of_pass not in PASSES:
                raise unknown("pass", of_pass, PASSES, where=f"method {method.name}, streams")
        for layer in method.layers:
            if layer not in (*self.layers, *ENDS):
                raise unknown("layer", layer, [*self.layers, *ENDS], where=f"method {method.name}, layers")
        missing = [stream for stream in MAC_STREAMS if stream not in method.streams]
        if missing:
            raise UserError(
                f"stream {missing[0]!r} has no quantizer",
                where=f"method {method.name}, streams",
                expected="tables for " + ", ".join(MAC_STREAMS),
                remedy=f"add [streams.{missing[0]}]; quantizer = 'none' leaves it in float32",
            )
        return tuple(method.streams)

    def _tables(self, method: Method, layer: str) -> Mapping[str, Any]:
        """Return the tables that a layer has of its own, by its name or as the first or last one."""
        ends = dict(zip(ENDS, (self.layers[0], self.layers[-1]), strict=True)) if self.layers else {}
        own: dict[str, Any] = {}
        for end, name in ends.items():
            own |= method.layers.get(end, {}) if name == layer else {}
        return own | method.layers.get(layer, {})

    def _build(self, method: Method, layer: str, stream: str) -> Any:
        table = self._tables(method, layer).get(stream, method.streams[stream])
        return quantizers.build(table, where=f"method {method.name}, streams.{stream}")

    # --- the policy

    def _apply(self) -> None:
        """Give every quantizer the bits that the policy's state says."""
        for layer, stream in self._base:
            self._apply_one(layer, stream)

    def _apply_one(self, layer: str, stream: str) -> None:
        base = self._base[layer, stream]
        if base is None or (layer, stream) in self._own:
            return
        decision = self.policy.decide(self.state, layer, stream)
        if decision is None:
            self._current[layer, stream] = None
            return
        changes = {"word_bits": decision.word_bits}
        if decision.frac_bits is not None:
            changes["frac_bits"] = decision.frac_bits
        if decision.bits is not None:
            changes["bits"] = decision.bits
        if decision.rate is not None:
            changes["method"] = _at_rate(base, stream, decision.rate)
        current = self._current[layer, stream]
        if current is None or any(not _same(getattr(current, key, None), value) for key, value in changes.items()):
            known = [field.name for field in fields(base)]
            if "frac_bits" in changes and "frac_bits" not in known:
                raise UserError(
                    "the policy moves the fraction length, but the quantizer has none",
                    where=f"stream {stream}",
                    expected="quantizer = 'fixed_point'",
                    remedy="choose that quantizer, or another policy",
                )
            self._current[layer, stream] = replace(base, **changes)

    def _tell(self, moment: Moment, *, layer: str = "", stream: str = "", **seen: Any) -> None:
        """Let the policy see something, and take its decisions over."""
        statistics = Statistics(
            moment=moment,
            step=self.step,
            steps_per_epoch=self.steps_per_epoch,
            steps=self.steps,
            layer=layer,
            stream=stream,
            random=self.random.derive("policy", str(moment), layer, stream, self.step),
            **seen,
        )
        state = self.policy.update(self.state, statistics)
        if state is self.state:
            return
        log = state.get("log", [])
        self.state = {**state, "log": []} if log else state
        if moment is Moment.TENSOR:
            self._apply_one(layer, stream)
        elif log:
            self._apply()
        for where, of, quantity, value in log:
            q = self._current.get((where, of))
            bits = {"word_bits": q and q.word_bits, "frac_bits": q and getattr(q, "frac_bits", None)}
            line = {"step": self.step, "layer": where, "stream": of, "quantity": quantity}
            line["value"] = float(value) if isinstance(value, Fraction) else value
            self.decisions.append(line | bits)

    def _stream(self, layer: str, stream: str) -> str:
        """Return the entry that quantizes a stream: that of its pass, or that of all passes."""
        return stream if (layer, stream) in self._base else stream.partition("@")[0]

    def begin_step(self, step: int) -> None:
        """Let the policy decide the bits of ``step``."""
        self.step = step
        self._casts.clear()
        if self.gates is not None:
            self.gates.begin_step()
        if self.policy.wants(self.state, Moment.BEGIN, "", "", step):
            self._tell(Moment.BEGIN)

    def wants(self, layer: str, stream: str) -> bool:
        """Return whether the policy wants a tensor before it is quantized."""
        stream = self._stream(layer, stream)
        if self._current.get((layer, stream)) is None:
            return False
        return self.policy.wants(self.state, Moment.TENSOR, layer, stream, self.step)

    def observe(self, layer: str, stream: str, array: np.ndarray, frac_bits: int | None) -> None:
        """Show the policy a tensor before it is quantized."""
        self._tell(Moment.TENSOR, layer=layer, stream=self._stream(layer, stream), tensor=Sample(array, frac_bits))

    @property
    def wants_loss(self) -> bool:
        """Whether the policy wants the step's loss."""
        return self.policy.wants(self.state, Moment.LOSS, "", "", self.step)

    def observe_loss(self, loss: Fraction, correct: Fraction | None = None) -> None:
        """Show the policy the mean loss of the step, and the share of right answers."""
        choices = {} if self.gates is None else dict(self.gates.counts)
        self._tell(Moment.LOSS, loss=loss, correct=correct, nonzero=self._nonzero, choices=choices)

    def wants_gradient(self, layer: str) -> bool:
        """Return whether the policy wants the gradient of a layer's weights."""
        return self.policy.wants(self.state, Moment.GRADIENT, layer, "gradient", self.step)

    def observe_gradient(self, layer: str, gradient: Sample, master: Sample, *, unit_norm: bool) -> None:
        """Show the policy a weight gradient and the weights that it will move."""
        seen = {"tensor": gradient, "master": master, "unit_norm": unit_norm}
        self._tell(Moment.GRADIENT, layer=layer, stream="gradient", **seen)

    def take_decisions(self) -> list[dict[str, Any]]:
        """Return what the policy decided since the last call, and from which quantities."""
        taken, self.decisions = self.decisions, []
        return taken

    def work_rows(self, steps: int) -> list[dict[str, Any]]:
        """Return the policy's own operations as rows of the vector workload, an average over ``steps`` steps."""
        rows = []
        for layer, operations in self.state.get("work", {}).items():
            mean = -(-operations // max(steps, 1))
            row = {"layer": layer or "network", "pass": "update", "op": "policy", "read_elements": 0}
            rows.append(row | {"write_elements": 0, "operations": mean})
        return rows

    # --- state

    def saved(self) -> dict[str, Any]:
        """Return the policy's state as values that JSON can hold."""
        return to_json(self.state)

    def restore(self, state: dict[str, Any]) -> None:
        """Take up the policy's state of a checkpoint."""
        self.state = from_json(state)
        self._apply()

    # --- what the tape asks

    def apart(self, layer: str, stream: str) -> bool:
        """Return whether a pass reads a stream by a quantizer of its own (``stream@pass``)."""
        return stream in self._apart

    def wants_slope(self, layer: str, stream: str) -> bool:
        """Return whether the policy wants the gradient of a quantized tensor."""
        stream = self._stream(layer, stream)
        return self._current.get((layer, stream)) is not None and self.policy.wants(
            self.state, Moment.SLOPE, layer, stream, self.step
        )

    def observe_slope(
        self, layer: str, stream: str, array: np.ndarray, gradient: np.ndarray, points: tuple[int | None, int | None]
    ) -> None:
        """Show the policy an unquantized tensor and its gradient."""
        seen = {"tensor": Sample(array, points[0]), "slope": Sample(gradient, points[1])}
        self._tell(Moment.SLOPE, layer=layer, stream=self._stream(layer, stream), **seen)

    def record_codes(
        self, layer: str, stream: str, word_bits: int, counts: CastCounts, bits_histogram: Mapping[int, int] | None
    ) -> None:
        """Enter a tensor that a tensor quantizer encoded into the history."""
        if stream == "weight":
            self._nonzero[layer] = counts.nonzero, counts.elements
        seen = counts.elements, counts.nonzero, counts.saturated, counts.underflow
        self.history.record(self.step, layer, stream, word_bits, None, *seen, bits_histogram)

    def quantizer(self, layer: str, stream: str) -> Any:
        """Return the quantizer of a stream; None leaves it as the vector unit has it."""
        stream = self._stream(layer, stream)
        chosen = self.gates.quantizer(layer, stream) if self.gates is not None else None
        return self._current.get((layer, stream)) if chosen is None else chosen

    def record(self, layer: str, stream: str, fmt: FixedFormat | None, counts: CastCounts) -> None:
        """Enter a tensor into the history."""
        word_bits, frac_bits = (32, None) if fmt is None else (fmt.word_bits, fmt.frac_bits)
        if stream == "weight":
            self._nonzero[layer] = counts.nonzero, counts.elements
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
        return self.random_words(layer, stream).key

    def random_words(self, layer: str, stream: str) -> RandomBits:
        """Return the random bits of a stream in this step."""
        # a recurrent layer casts a stream once for every time step: each cast draws its own words
        number = self._casts.get((layer, stream), 0)
        self._casts[layer, stream] = number + 1
        return self.random.derive("cast", layer, stream, self.step, number)

    def mean_word_bits(self) -> float:
        """Return the mean word length over the operands of the MAC array (float32 counts as 32)."""
        bits = [
            32 if q is None else getattr(q, "mean_bits", q.word_bits)
            for (layer, stream) in self._current
            if stream in MAC_STREAMS
            for q in (self.quantizer(layer, stream),)
        ]
        return sum(bits) / len(bits)

    def width_shares(self) -> dict[str, dict[str, float]]:
        """Return stream -> word length (or ``float32``) -> share of layers and steps that had it."""
        steps: dict[str, dict[str, int]] = {}
        for row in self.history.rows():
            width = "float32" if _is_float(row) else str(row["word_bits"])
            own = steps.setdefault(row["stream"], {})
            own[width] = own.get(width, 0) + row["step_end"] - row["step_begin"]
        return {
            stream: {width: count / sum(own.values()) for width, count in sorted(own.items())}
            for stream, own in steps.items()
        }

    @property
    def may_become_float(self) -> bool:
        """Whether the policy leaves fixed point at some time."""
        return bool(getattr(self.policy, "ends_in_float32", False))

    def float_streams(self) -> list[str]:
        """Return the operand streams that are, or once were, in float32."""
        now = {stream for (_, stream), q in self._current.items() if q is None}
        now |= {row["stream"] for row in self.history.rows() if _is_float(row)}
        return [stream for stream in MAC_STREAMS if stream in now]


def _at_rate(quantizer: Any, stream: str, rate: float) -> Any:
    """Return the method of a stream's quantizer with another learning rate."""
    method: Any = getattr(quantizer, "method", None)
    if not hasattr(method, "learning_rate"):
        raise UserError(
            "the policy moves a learning rate, but the quantizer has none",
            where=f"stream {stream}",
            expected="a quantizer with a learning rate, such as 'wage' of gradients",
            remedy="choose that quantizer, or another policy",
        )
    return replace(method, learning_rate=rate)


def _same(old: Any, new: Any) -> bool:
    """Return whether two settings are the same; arrays are, if they are one object."""
    return old is new or not (isinstance(old, np.ndarray) or isinstance(new, np.ndarray) or old != new)


def _is_float(row: Mapping[str, Any]) -> bool:
    """Return whether a row of the history says binary32: of codes without one fraction length, words are shorter."""
    return row["frac_bits"] is None and row["word_bits"] == 32


def _policy(method: Method) -> Any:
    """Return the policy of a method."""
    table = dict(method.policy)
    kind = policies[table.pop("name", "static")]
    known = [field.name for field in fields(kind)]
    for key in table:
        if key not in known:
            raise unknown("key", key, ["name", *known], where=f"method {method.name}, policy")
    return kind(**table)
