"""The update unit: master weights, momentum and the step, in binary32 or in fixed point."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import numpy as np

from fxpsim.accelerator import Accelerator
from fxpsim.numerics import FixedFormat, Rounding
from fxpsim.units import moments
from fxpsim.units.fixed import MAX_SHIFT, constant
from fxpsim.units.graph import Node, apply, evaluate, leaf, parameter
from fxpsim.units.noise import noise_node
from fxpsim.units.values import CastCounts, Value

COEFFICIENT_BITS = 16
REGISTER_BITS = 61  # two such terms and a product of a word and a coefficient add up within 64 bits
AVERAGE_BITS = 46  # a difference times a coefficient fits 63 bits


@dataclass(slots=True)
class Master:
    """A trained tensor as the update unit keeps it: the weights and the optimizer's moments.

    Parameters
    ----------
    weights : ndarray
        Codes of ``format``, or binary32.
    format : FixedFormat, optional
        How to read the codes; None for binary32.
    moment_format : FixedFormat, optional
        The same for the moments.
    moments : dict of str to ndarray
        What the optimizer remembers, such as ``momentum``.
    """

    weights: np.ndarray
    format: FixedFormat | None
    moment_format: FixedFormat | None = None
    moments: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def frac_bits(self) -> int | None:
        """Fraction length of the codes."""
        return None if self.format is None else self.format.frac_bits

    def format_of(self, stream: str) -> FixedFormat | None:
        """Return the format of the weights (``master``) or of a moment."""
        return self.format if stream == "master" else self.moment_format

    def read(self) -> np.ndarray:
        """Return the weights as float64."""
        return (
            self.weights.astype(np.float64)
            if self.format is None
            else np.ldexp(self.weights.astype(np.float64), -self.format.frac_bits)
        )


@dataclass(frozen=True, kw_only=True)
class GradientRule:
    """What becomes of a gradient before the optimizer sees it: ``clamp(scale g, -limit, limit)``.

    Parameters
    ----------
    scale : Fraction
        Factor: of clipping by norm, of normalization, of the mean over accumulated batches.
    limit : Fraction, optional
        Largest magnitude of an element.
    """

    scale: Fraction = Fraction(1)
    limit: Fraction | None = None


@dataclass(frozen=True, kw_only=True)
class SgdStep:
    """The numbers of one step of stochastic gradient descent, exact.

    ``v <- momentum v + g + weight_decay w``, then ``w <- w - learning_rate v`` (with ``nesterov``:
    ``w <- w - learning_rate (g + weight_decay w + momentum v)``, v the new one).
    """

    learning_rate: Fraction
    momentum: Fraction = Fraction(0)
    weight_decay: Fraction = Fraction(0)
    nesterov: bool = False
    gradient: GradientRule = GradientRule()


@dataclass(frozen=True, kw_only=True)
class AdamStep:
    """The numbers of one step of Adam, exact; see :class:`fxpsim.optim.adam.Adam`.

    ``m <- m + first_rate (g - m)``, ``v <- v + second_rate (g^2 - v)``, then
    ``w <- w - learning_rate m / (sqrt(v) + epsilon) - decay w``, g the gradient plus ``weight_decay w``.
    """

    learning_rate: Fraction
    first_rate: Fraction
    second_rate: Fraction
    epsilon: Fraction
    weight_decay: Fraction = Fraction(0)
    decay: Fraction = Fraction(0)
    gradient: GradientRule = GradientRule()


class UpdateUnit(Protocol):
    """What the optimizers ask of an update unit."""

    def create(self, values: np.ndarray) -> Master:
        """Bring initial values into the unit's format."""
        ...

    def sgd(self, master: Master, grad: Value, step: SgdStep, key: tuple[int, int]) -> dict[str, CastCounts]:
        """Make one step; returns the counts of the streams ``master`` and ``momentum``."""
        ...

    def adam(self, master: Master, grad: Value, step: AdamStep, key: tuple[int, int]) -> dict[str, CastCounts]:
        """Make one step of Adam; returns the counts of the streams ``master`` and ``momentum``."""
        ...

    def square_norm(self, grad: Value) -> Fraction:
        """Return the sum of the squares of a gradient's elements."""
        ...

    def create_average(self, values: np.ndarray) -> Master:
        """Bring the initial values of a running average into the unit's format."""
        ...

    def average(self, master: Master, observed: Value, rate: Fraction) -> None:
        """Move a running average: ``state <- state + rate (observed - state)``."""
        ...


def build_update_unit(accelerator: Accelerator) -> UpdateUnit:
    """Return the update unit that an accelerator's file describes."""
    unit = accelerator.update_unit
    if unit.arithmetic == "float32":
        return FloatUpdate()
    return FixedUpdate(
        FixedFormat.parse(unit.master_format), FixedFormat.parse(unit.momentum_format), Rounding(unit.rounding)
    )


class FloatUpdate:
    """Updates in binary32, every operation rounded on its own."""

    def create(self, values: np.ndarray) -> Master:
        """Round the initial values to binary32."""
        return Master(values.astype(np.float32), None)

    adam = moments.adam_float

    def square_norm(self, grad: Value) -> Fraction:
        """Return the sum of the squares of a gradient's elements, in a pinned order of binary32 operations."""
        return moments.square_norm_float(grad)

    def create_average(self, values: np.ndarray) -> Master:
        """Round the initial values to binary32."""
        return self.create(values)

    def aligned(self, observed: Value) -> Value:
        """Return an observation in memory, as it is."""
        if observed.node.array is None:
            evaluate([(observed.node, "f32")])
        return observed

    def average(self, master: Master, observed: Value, rate: Fraction) -> None:
        """Move a running average, every operation rounded on its own."""
        state = leaf(master.weights)
        moved = _float("add", state, _float("multiply", _float("subtract", observed.node, state), _constant(rate)))
        evaluate([(moved, "f32")])
        assert moved.array is not None
        master.weights = moved.array

    def sgd(self, master: Master, grad: Value, step: SgdStep, key: tuple[int, int]) -> dict[str, CastCounts]:
        """Make one step of stochastic gradient descent."""
        weights, g = leaf(master.weights), moments.ruled_float(grad, step.gradient)
        if step.weight_decay:
            g = _float("add", g, _float("multiply", weights, _constant(step.weight_decay)))
        stores: list[tuple[Node, str]] = []
        direction = g
        if step.momentum:
            velocity = master.moments.get("momentum")
            if velocity is None:
                velocity = np.zeros_like(master.weights)
            velocity_node = _float("add", _float("multiply", leaf(velocity), _constant(step.momentum)), g)
            stores.append((velocity_node, "f32"))
            direction = velocity_node
            if step.nesterov:
                direction = _float("add", g, _float("multiply", velocity_node, _constant(step.momentum)))
        moved = _float("subtract", weights, _float("multiply", direction, _constant(step.learning_rate)))
        stores.append((moved, "f32"))
        evaluate(stores)
        assert moved.array is not None
        master.weights = moved.array
        size = moved.array.size
        counts = {"master": CastCounts(size, size, 0, 0)}
        if step.momentum:
            array = stores[0][0].array
            assert array is not None
            master.moments["momentum"] = array
            counts["momentum"] = CastCounts(size, size, 0, 0)
        return counts


def _float(primitive: str, a: Node, b: Node) -> Node:
    return apply(primitive, a, b, dtype="f32")


def _constant(value: Fraction) -> Node:
    return parameter(float(value), "f32")


class FixedUpdate:
    """Updates in fixed point: products exact in a 64-bit register, one rounding into each stored word.

    What the learning rate multiplies is a word of the momentum format (with Nesterov's look-ahead, too).

    Coefficients (momentum, weight decay, learning rate) are words of ``COEFFICIENT_BITS`` bits and a shift.

    Parameters
    ----------
    master_format, momentum_format : FixedFormat
        Formats of the stored words, at most 32 bits.
    rounding : Rounding
        Of both; stochastic rounding draws on the key of the step.
    """

    def __init__(self, master_format: FixedFormat, momentum_format: FixedFormat, rounding: Rounding) -> None:
        self.master_format, self.momentum_format, self.rounding = master_format, momentum_format, rounding

    def create(self, values: np.ndarray) -> Master:
        """Round the initial values to the master format (nearest even, saturating)."""
        fmt = self.master_format
        codes = np.rint(np.ldexp(values.astype(np.float64), fmt.frac_bits))
        return Master(np.clip(codes, fmt.min_code, fmt.max_code).astype(np.int32), fmt, self.momentum_format)

    def create_average(self, values: np.ndarray) -> Master:
        """Round the initial values to the format of averages.

        It is wider than a master weight: ``AVERAGE_BITS`` bits, because a variance has twice the range of its tensor.
        """
        fmt = self.average_format
        codes = np.rint(np.ldexp(values.astype(np.float64), fmt.frac_bits))
        return Master(np.clip(codes, fmt.min_code, fmt.max_code).astype(np.int64), fmt)

    @property
    def average_format(self) -> FixedFormat:
        """Format of running averages: the master's fraction length (made even), ``AVERAGE_BITS`` bits."""
        return FixedFormat(word_bits=AVERAGE_BITS, frac_bits=self.master_format.frac_bits // 2 * 2)

    def aligned(self, observed: Value) -> Value:
        """Return an observation in memory, at the fraction length of the averages."""
        fmt = self.average_format
        return Value(leaf(_observed_codes(observed, fmt)), fmt.frac_bits)

    def average(self, master: Master, observed: Value, rate: Fraction) -> None:
        """Move a running average: exact difference and product, rounded once; the observation saturates."""
        fmt = self.average_format
        target = _observed_codes(observed, fmt)
        mantissa, shift = constant(rate, COEFFICIENT_BITS - 1)
        low, high = parameter(fmt.min_code, "i64"), parameter(fmt.max_code, "i64")
        target_node = apply("clamp", leaf(target), low, high, dtype="i64")
        state = leaf(master.weights)
        step = _wide("multiply", _wide("subtract", target_node, state), parameter(mantissa, "i64"))
        moved = _wide("add", state, _move(step, shift, 0, Rounding.HALF_EVEN, (0, 0)))
        evaluate([(moved, "i64")])
        assert moved.array is not None
        master.weights = moved.array

    def sgd(self, master: Master, grad: Value, step: SgdStep, key: tuple[int, int]) -> dict[str, CastCounts]:
        """Make one step of stochastic gradient descent; every rounding draws its own random words."""
        moment, weight = self.momentum_format, self.master_format
        weights = leaf(master.weights)
        total = self.ruled(grad, step.gradient, _subkey(key, 0))
        if step.weight_decay:
            decay = self.product(weights, weight, step.weight_decay, moment.frac_bits, _subkey(key, 1))
            total = _wide("add", total, decay)
        gradient = total
        if step.momentum:
            velocity = master.moments.get("momentum")
            if velocity is None:
                velocity = np.zeros(master.weights.shape, np.int32)
            kept = self.product(leaf(velocity), moment, step.momentum, moment.frac_bits, _subkey(key, 2))
            total = _wide("add", kept, total)
        velocity_node, velocity_counts = store_word(total, moment)
        direction = velocity_node
        if step.momentum and step.nesterov:
            ahead = self.product(velocity_node, moment, step.momentum, moment.frac_bits, _subkey(key, 3))
            direction, _ = store_word(_wide("add", gradient, ahead), moment)
        delta = self.product(direction, moment, step.learning_rate, weight.frac_bits, _subkey(key, 4))
        moved, master_counts = store_word(_wide("subtract", weights, delta), weight)
        stores = [(moved, "i32")] + ([(velocity_node, "i32")] if step.momentum else [])
        results = evaluate(stores, master_counts + velocity_counts)
        assert moved.array is not None
        master.weights = moved.array
        size = moved.array.size
        counts = {"master": CastCounts(size, results[0], results[1], 0)}
        if step.momentum:
            assert velocity_node.array is not None
            master.moments["momentum"] = velocity_node.array
            counts["momentum"] = CastCounts(size, results[2], results[3], 0)
        return counts

    adam = moments.adam_fixed

    def store(self, node: Node, fmt: FixedFormat) -> tuple[Node, list[tuple[str, Node]]]:
        """Saturate into a word; returns the code and the reductions that count non-zeros and saturations."""
        return store_word(node, fmt)

    def square_norm(self, grad: Value) -> Fraction:
        """Return the sum of the squares of a gradient's elements, exactly."""
        return moments.square_norm_fixed(grad)

    def ruled(self, grad: Value, rule: GradientRule, key: tuple[int, int]) -> Node:
        """Return the gradient behind its rule, at the fraction length of the momentum."""
        frac_bits = self.momentum_format.frac_bits
        assert grad.frac_bits is not None
        if rule.scale == 1:
            node = _move(grad.node, grad.frac_bits, frac_bits, self.rounding, key)
        else:
            mantissa, shift = constant(rule.scale, COEFFICIENT_BITS - 1)
            product = _wide("multiply", grad.node, parameter(mantissa, "i64"))
            node = _move(product, grad.frac_bits + shift, frac_bits, self.rounding, key)
        if rule.limit is None:
            return node
        limit = round(rule.limit * Fraction(2) ** frac_bits)
        return apply("clamp", node, parameter(-limit, "i64"), parameter(limit, "i64"), dtype="i64")

    def product(self, a: Node, fmt: FixedFormat, factor: Fraction, frac_bits: int, key: tuple[int, int]) -> Node:
        """Return ``a * factor`` with ``frac_bits`` fractional bits."""
        mantissa, shift = constant(factor, COEFFICIENT_BITS - 1)
        product = _wide("multiply", a, parameter(mantissa, "i64"))
        return _move(product, fmt.frac_bits + shift, frac_bits, self.rounding, key)


def _observed_codes(observed: Value, fmt: FixedFormat) -> np.ndarray:
    """Return observed codes at the fraction length of ``fmt``, saturated before a shift could lose their top bits."""
    if observed.node.array is None:
        evaluate([(observed.node, "i64")])
    assert observed.node.array is not None
    assert observed.frac_bits is not None
    codes = observed.node.array.astype(np.int64)
    shift = fmt.frac_bits - observed.frac_bits
    if shift < 0:
        low = codes >> min(-shift, 62)
        rest = codes - (low << min(-shift, 62))
        return low + (2 * rest + (low & 1) > 1 << min(-shift, 62))
    limit = fmt.max_code >> min(shift, 62)
    return np.clip(codes, -limit, limit) << min(shift, 62)


def _wide(primitive: str, a: Node, b: Node) -> Node:
    return apply(primitive, a, b, dtype="i64")


def _subkey(key: tuple[int, int], purpose: int) -> tuple[int, int]:
    """Return the random key of one of several roundings of a step."""
    return key[0], key[1] ^ (purpose * 0x9E3779B9 & 0xFFFFFFFF)


def _move(a: Node, frac_bits: int, wanted: int, rounding: Rounding, key: tuple[int, int]) -> Node:
    """Move the binary point; bits that fall off are rounded, bits that would leave the register saturate."""
    shift = frac_bits - wanted
    if shift == 0:
        return a
    if shift > 0:
        amount = parameter(min(shift, MAX_SHIFT), "i32")
        return apply(f"round_shift_{rounding}", a, amount, noise_node(rounding, key), dtype="i64")
    places = min(-shift, REGISTER_BITS)
    limit = 1 << (REGISTER_BITS - places)
    fits = apply("clamp", a, parameter(-limit, "i64"), parameter(limit, "i64"), dtype="i64")
    return _wide("shift_left", fits, parameter(places, "i64"))


def store_word(node: Node, fmt: FixedFormat) -> tuple[Node, list[tuple[str, Node]]]:
    """Saturate into a word; returns the code and the reductions that count non-zeros and saturations."""
    low, high = parameter(fmt.min_code, "i64"), parameter(fmt.max_code, "i64")
    code = apply("clamp", node, low, high, dtype="i64")
    nonzero = apply("nonzero", code, dtype="i32")
    return code, [("sum", nonzero), ("sum", apply("outside", node, low, high, dtype="i32"))]
