"""A session: network, units and optimizer of a run, and what one step does with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from fxpsim.autodiff import Tensor
from fxpsim.data import Dataset, Split, batches
from fxpsim.errors import UserError
from fxpsim.nn import Buffer, Module, Parameter
from fxpsim.numerics import FixedFormat, RandomBits
from fxpsim.optim import GradientSum, ListeningSchedule, Schedule, optimizers, schedules
from fxpsim.optim.joint import average_together, joinable, step_together
from fxpsim.policies import Sample
from fxpsim.records import AccumulationRecorder
from fxpsim.train.counter import WorkloadCounter
from fxpsim.train.gradients import l1_norm, normalized, with_l1
from fxpsim.train.initialization import tnvs
from fxpsim.train.making import from_table, make_units
from fxpsim.train.network import build_network
from fxpsim.train.precision import RunPrecision
from fxpsim.train.recipe import Recipe, ResolvedRecipe
from fxpsim.train.tasks import task_rule
from fxpsim.units import CastCounts, Master, Value
from fxpsim.units.coded import CodedOperand
from fxpsim.units.values import SumCounts


@dataclass(frozen=True)
class StepResult:
    """What one step, or one evaluation, saw.

    Parameters
    ----------
    total : float or Fraction
        Summed loss, as the vector unit computed it.
    samples, correct : int
        Samples (rows of scores: tokens, pixels), and how many of them the network got right.
    metrics : dict of str to float
        What else the task measures; of evaluations only.
    """

    total: Any
    samples: int
    correct: int
    metrics: dict[str, float] = field(default_factory=dict)

    def __add__(self, other: StepResult) -> StepResult:
        """Return what both saw; metrics stay behind."""
        return StepResult(self.total + other.total, self.samples + other.samples, self.correct + other.correct)

    @property
    def loss(self) -> float:
        """Mean loss over the samples; of classes and tokens in nats."""
        return float(self.total) / self.samples

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.correct / self.samples


class Session:
    """Everything that a run trains, and the units that execute it.

    Parameters
    ----------
    resolved : ResolvedRecipe
        The recipe and what it names.
    dataset : Dataset
        Its data.
    steps : int
        Length of the run in steps, for the schedule; later steps keep its last rate.

    Examples
    --------
    >>> from fxpsim.data import load
    >>> from fxpsim.train import load_recipe
    >>> session = Session(load_recipe("lenet5-digits"), load("digits"), steps=10)
    >>> sum(np.prod(p.shape) for p in session.parameters) > 1000
    np.True_
    """

    def __init__(self, resolved: ResolvedRecipe, dataset: Dataset, *, steps: int) -> None:
        recipe, method = resolved.recipe, resolved.method
        self.recipe, self.dataset, self.steps = recipe, dataset, steps
        self.random = RandomBits(seed=recipe.seed)
        self.network = build_network(resolved.network_file, dataset, recipe.network_options)
        self.parameters = list(self.network.parameters())
        self.buffers = list(self.network.buffers())
        self.task = task_rule(dataset, self.network, loss=method.training.loss)
        self.training = method.training
        per_epoch = max(1, steps // recipe.epochs)
        self.precision = RunPrecision(
            method, _weight_layers(self.network), self.random, steps_per_epoch=per_epoch, steps=steps
        )
        self.engine, self.update = make_units(resolved, self.precision)
        self.engine.gating = self.precision.gates
        self.optimizer = from_table(optimizers, recipe.optimizer, "optimizer")
        self.schedule: Schedule = from_table(schedules, recipe.schedule, "schedule")
        # the rates of all steps, before the first one: a step then computes none
        self.factors = [_on_grid(self.schedule(index, steps)) for index in range(steps)]
        self.counter: WorkloadCounter | None = None
        self.accumulations = AccumulationRecorder()
        self.engine.mac.witness = self._sums_recorder
        self.index = 0
        for parameter in self.parameters:
            values = self._initial(parameter)
            parameter.master = self.update.create(values)
        for buffer in self.buffers:
            buffer.master = self.update.create_average(np.full(buffer.shape, buffer.initial))

    def _initial(self, parameter: Parameter) -> np.ndarray:
        random = self.random.derive("initialize", parameter.path)
        if self.training.initializer == "tnvs" and parameter.role == "weight":
            return tnvs(parameter.shape, random, self.training.initializer_scale)
        return parameter.initializer(parameter.shape, random)

    # --- one step

    def step(self, index: int, inputs: np.ndarray, targets: np.ndarray) -> StepResult:
        """Train on one batch: forward, backward, update.

        Parameters
        ----------
        index : int
            Number of the step in the run.
        inputs, targets : ndarray
            The batch as the data set stores it.
        """
        self.index = index
        self.precision.begin_step(index)
        self.engine.mac.begin_step(self.random.derive("accumulate", index))
        counting = self.counter is None
        if counting:
            self.counter = self.engine.counter = WorkloadCounter()
        self._bind(requires_grad=True)
        self.engine.quantized_weights = {} if self.training.l1_decay else None
        gradients, seen = GradientSum(), StepResult(0, 0, 0)
        for part in _parts(len(inputs), self.recipe.training.accumulate):
            seen += self._backward(inputs[part], targets[part], gradients)
        if self.precision.wants_loss:
            loss = exact_total(seen.total) / seen.samples + self._l1_penalty()
            self.precision.observe_loss(loss, Fraction(seen.correct, seen.samples))
        self._update(gradients.mean(self.engine.vector), index)
        self.engine.mac.end_step()
        self._release()
        self.engine.counter = None
        return seen

    def _backward(self, inputs: np.ndarray, targets: np.ndarray, gradients: GradientSum) -> StepResult:
        """Run a micro-batch forward and backward; add to the gradients and move the running statistics."""
        output = self.network(self._input(inputs, targets))
        loss = self.task.training_loss(output, targets, self.precision.random_words)
        found = loss.backward()
        gradients.add(self.engine.vector, {p.path: found[id(p.tensor)].value for p in self.parameters})
        seen = [(_master(b), b.observed, b.rate) for b in self.buffers if b.observed is not None]
        if seen:
            average_together(self.update, *zip(*seen, strict=True))
        for buffer in self.buffers:
            buffer.observed = None
        return StepResult(loss.total, loss.samples, loss.correct)

    def _sums_recorder(self) -> Callable[[SumCounts], None]:
        """Return what enters what the accumulators of the GEMM at hand did."""
        engine, index = self.engine, self.index
        layer, pass_, recording = engine.layer or "network", engine.pass_, engine.recording

        def record(counts: SumCounts) -> None:
            if recording:
                found = (counts.sums, counts.products, counts.overflowed, counts.flushed, counts.inexact)
                self.accumulations.record(index, layer, pass_, found)

        return record

    def _input(self, inputs: np.ndarray, targets: np.ndarray) -> Tensor:
        read = self.task.network_input(inputs, targets)
        return self.engine.tensor(self.dataset.encode(read), self.dataset.input_frac_bits)

    def _bind(self, *, requires_grad: bool) -> None:
        """Give every parameter its tensor of this step."""
        for parameter in self.parameters:
            master = _master(parameter)
            value = self.engine.vector.load(master.weights, master.frac_bits)
            parameter.tensor = Tensor(self.engine, value, requires_grad=requires_grad)

        for buffer in self.buffers:
            master = _master(buffer)
            buffer.tensor = Tensor(self.engine, self.engine.vector.load(master.weights, master.frac_bits))

    def _release(self) -> None:
        for kept in (*self.parameters, *self.buffers):
            kept.tensor = None
        self.engine.quantized_weights = None

    def _update(self, gradients: dict[str, Value], index: int) -> None:
        """Move all parameters; what the optimizer gets of a gradient depends on all of them only if it clips."""
        factor = self._factor(index)
        values = ((p, self._gradient(p, gradients.pop(p.path))) for p in self.parameters)
        scale = Fraction(1)
        if self.optimizer.clip_norm:
            values = list(values)
            scale = self.optimizer.clip(self.update, [value for _, value in values])
        together: list[tuple[Master, Value]] = []
        for parameter, value in values:
            if self._joins(parameter):
                self.engine.vector.array(value)
                together.append((_master(parameter), value))
            else:
                self._move(parameter, value, index, factor, scale)
        if together:
            masters, grads = [master for master, _ in together], [grad for _, grad in together]
            step_together(self.optimizer, self.update, masters, grads, factor, scale)

    def _joins(self, parameter: Parameter) -> bool:
        """Return whether a parameter is updated along with others of its kind; the workload counts each by itself."""
        return parameter.role != "weight" and self.engine.counter is None and joinable(self.optimizer, self.update)

    def _move(self, parameter: Parameter, value: Value, index: int, factor: Fraction, scale: Fraction) -> None:
        """Update one parameter."""
        with self.engine.at(layer=parameter.layer, pass_="update"):
            weight = parameter.role == "weight"
            key = self.random.derive("update", parameter.path, index).key
            master = _master(parameter)
            counts = self.optimizer.step(self.update, master, value, factor, key, decay=weight, scale=scale)
            if weight:
                for stream, count in counts.items():
                    self.precision.record(parameter.layer, stream, master.format_of(stream), count)
            if self.engine.counter is not None:
                size, moments = master.weights.size, len(master.moments)
                self.engine.counter.vector(
                    parameter.layer,
                    "update",
                    self.recipe.optimizer["name"],
                    (2 + moments) * size,
                    (1 + moments) * size,
                    4 * size,
                )

    def _factor(self, index: int) -> Fraction:
        """Return the schedule's factor of the learning rate."""
        if isinstance(self.schedule, ListeningSchedule):
            return _on_grid(self.schedule(index, self.steps))
        return self.factors[min(index, self.steps - 1)]

    def observe_epoch(self, loss: Fraction) -> None:
        """Show the schedule the mean training loss of an epoch, if it wants to know."""
        if isinstance(self.schedule, ListeningSchedule):
            self.schedule.observe(loss)

    @property
    def schedule_state(self) -> dict[str, Any]:
        """What the schedule remembers; empty if it depends on the step alone."""
        return self.schedule.state if isinstance(self.schedule, ListeningSchedule) else {}

    def _l1_penalty(self) -> Fraction:
        decay = Fraction(str(self.training.l1_decay))
        if not decay:
            return decay
        return decay * sum(l1_norm(self._as_read(p)) for p in self.parameters)

    def _as_read(self, parameter: Parameter) -> Sample:
        """Return a parameter as the forward pass reads it: quantized where its stream is."""
        operand = (self.engine.quantized_weights or {}).get(id(parameter().value))
        if isinstance(operand, CodedOperand):
            return Sample(*operand.stored(self.engine.vector.arithmetic))
        if operand is not None and operand.format is not None:
            return Sample(operand.codes, operand.format.frac_bits)
        master = _master(parameter)
        return Sample(master.weights, master.frac_bits)

    def _gradient(self, parameter: Parameter, value: Value) -> Value:
        """Make of a parameter's gradient what the optimizer gets, and show it to the policy."""
        with self.engine.at(layer=parameter.layer, pass_="update"):
            return self._treated(parameter, value)

    def _treated(self, parameter: Parameter, value: Value) -> Value:
        vector, weight, layer = self.engine.vector, parameter.role == "weight", parameter.layer
        if self.training.l1_decay:
            value = with_l1(vector, value, self._as_read(parameter), Fraction(str(self.training.l1_decay)))
        if weight:
            value = self._quantized_gradient(layer, value)
        if self.training.normalize_gradient:
            value = normalized(vector, value)
        if weight and self.precision.wants_gradient(layer):
            master = _master(parameter)
            self.precision.observe_gradient(
                layer,
                Sample(vector.array(value), value.frac_bits),
                Sample(master.weights, master.frac_bits),
                unit_norm=self.training.normalize_gradient,
            )
        return value

    def _quantized_gradient(self, layer: str, value: Value) -> Value:
        """Pass a weight gradient through its stream."""
        engine = self.engine
        if self.precision.quantizer(layer, "gradient") is not None:
            operand = engine.quantize(value, "gradient")
            if isinstance(operand, CodedOperand):
                return engine.vector.load(*operand.stored(engine.vector.arithmetic))
            return engine.vector.load(operand.codes, operand.format.frac_bits)
        frac_bits, fmt = value.frac_bits, None
        if frac_bits is not None:
            fmt = FixedFormat(word_bits=engine.vector.word_bits, frac_bits=frac_bits)
        self.precision.record(layer, "gradient", fmt, CastCounts(0, 0, 0, 0))
        return value

    # --- evaluation

    def evaluate(self, split: Split) -> StepResult:
        """Return loss, samples, right answers and metrics over a split; nothing is recorded or changed."""
        seen = StepResult(0, 0, 0)
        measure = self.task.measure()
        with self.engine.inference():
            self.engine.mac.begin_step(self.random.derive("evaluate"))
            self._bind(requires_grad=False)
            for inputs, targets in batches(split, batch=self.recipe.evaluation_batch):
                output = self.network(self._input(inputs, targets))
                part = self.task.loss(output, targets)
                measure.add(output, targets)
                seen += StepResult(part.total, part.samples, part.correct)
            self._release()
        return replace(seen, metrics=measure.result(seen.loss))

    # --- state

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all trained state as arrays, by name."""
        found: dict[str, np.ndarray] = {}
        for parameter in self.parameters:
            master = _master(parameter)
            found[parameter.path] = master.weights
            found |= {f"{parameter.path}/{name}": array for name, array in master.moments.items()}
        found |= {buffer.path: _master(buffer).weights for buffer in self.buffers}
        return found

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        """Restore what :meth:`arrays` returned."""
        for parameter in self.parameters:
            master = _master(parameter)
            prefix = parameter.path + "/"
            master.weights = arrays[parameter.path]
            master.moments = {key.removeprefix(prefix): a for key, a in arrays.items() if key.startswith(prefix)}
        for buffer in self.buffers:
            _master(buffer).weights = arrays[buffer.path]

    def restore(self, state: dict[str, Any]) -> None:
        """Restore policy, workload and counters from a checkpoint's state."""
        self.precision.restore(state["policy"])
        if isinstance(self.schedule, ListeningSchedule):
            self.schedule.restore(state["schedule"])
        self.engine.mac.overflowed = state["overflowed"]
        if "accumulations" in state:
            self.accumulations = AccumulationRecorder.from_state(state["accumulations"])
        if state["gemms"]:
            self.counter = WorkloadCounter()
            self.counter.gemms, self.counter.vectors = state["gemms"], state["vectors"]

    def digest(self) -> str:
        """Return the SHA-256 (hex) of all trained state: arrays with names and formats, policy and schedule."""
        digest = hashlib.sha256(json.dumps(self.precision.saved(), sort_keys=True).encode())
        if self.schedule_state:
            digest.update(json.dumps(self.schedule_state, sort_keys=True).encode())
        for name, array in sorted(self.arrays().items()):
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @property
    def all_integer(self) -> bool:
        """Whether no step holds a float."""
        return self.engine.vector.arithmetic == "fixed" and not self.recipe.training.float32_parts

    @property
    def inexact(self) -> str:
        """Why the run is not bit-exact; empty if it is."""
        streams = self.precision.float_streams()
        found = (
            [f"{', '.join(streams)} {'streams are' if len(streams) > 1 else 'stream is'} float32"] if streams else []
        )
        return "; ".join([*found, *self.engine.mac.inexact])


def _on_grid(factor: Fraction) -> Fraction:
    """Return a schedule's factor on a grid of ``2**-40``, so that no rational grows without bound."""
    return Fraction(round(factor * 2**40), 2**40)


def exact_total(total: Any) -> Fraction:
    """Return a summed loss as a rational."""
    try:
        return Fraction(total)
    except (ValueError, OverflowError):
        raise UserError(
            f"the loss is {total}: the training has diverged",
            expected="a finite loss",
            remedy="lower the learning rate, or start with more bits",
        ) from None


def _parts(size: int, count: int) -> list[slice]:
    """Cut a batch into micro-batches of one size, so that the mean of their means is that of the batch."""
    if size % count:
        raise UserError(
            f"a batch of {size} samples cannot be cut into {count} equal micro-batches",
            where="training.accumulate",
            expected="a number that divides the batch",
            remedy="change batch or training.accumulate",
        )
    return [slice(start, start + size // count) for start in range(0, size, size // count)]


def _master(kept: Parameter | Buffer) -> Master:
    assert kept.master is not None
    return kept.master


def _weight_layers(network: Module) -> list[str]:
    """Return the layers whose products run on the MAC array."""
    return [m.path for m in network.modules() if m.multiplies or "weight" in dict(m.own_parameters())]


__all__ = ["Recipe", "Session", "StepResult"]
