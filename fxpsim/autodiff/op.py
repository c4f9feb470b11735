"""An op is one declaration with three rules: its value, its gradient, its count."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from fxpsim.autodiff.engine import Engine
from fxpsim.autodiff.protocols import Counter
from fxpsim.autodiff.tensor import Record, Tensor


class Op:
    """Base of all ops. A subclass is stateless and defines the three rules.

    ``value``
        computes with the units' methods only, so that every interpreter can run it. It returns the result, or
        ``(result, saved)`` where the gradient needs more than inputs and output.
    ``gradient``
        is written in ops: training is made of the same arithmetic as inference. It returns one tensor, or None, for
        each input.
    ``count``
        reports what the accelerator does, from shapes alone.
    """

    name: ClassVar[str]
    saves: ClassVar[bool] = False

    def value(self, engine: Engine, *values: Any, **attributes: Any) -> Any:
        """Compute the result from the inputs' values."""
        raise NotImplementedError(f"op {self.name} has no value rule")

    def gradient(
        self, grad: Tensor, inputs: tuple[Tensor, ...], output: Tensor, saved: Any, **attributes: Any
    ) -> tuple[Tensor | None, ...]:
        """Return the gradients with respect to the inputs."""
        raise NotImplementedError(f"op {self.name} has no gradient rule")

    def count(
        self,
        counter: Counter,
        layer: str,
        pass_: str,
        shapes: tuple[tuple[int, ...], ...],
        out: tuple[int, ...],
        **attributes: Any,
    ) -> None:
        """Report element-wise work: read every input once, write the result once, one operation an element."""
        read = sum(math.prod(shape) for shape in shapes)
        counter.vector(layer, pass_, self.name, read, math.prod(out), max(read, math.prod(out)))

    def __call__(self, *inputs: Tensor, **attributes: Any) -> Tensor:
        """Run the op and, if a gradient is wanted, put it on the tape."""
        engine = inputs[0].engine
        result = self.value(engine, *[tensor.value for tensor in inputs], **attributes)
        value, saved = result if self.saves else (result, None)
        output = Tensor(engine, value)
        if engine.counter is not None:
            shapes = tuple(tensor.shape for tensor in inputs)
            self.count(engine.counter, engine.layer, engine.pass_, shapes, output.shape, **attributes)
        if engine.training:
            for tensor in inputs:
                if tensor.requires_grad:
                    output.requires_grad = True
                    output.record = Record(self, inputs, attributes, engine.layer, saved)
                    break
        return output
