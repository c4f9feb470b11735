"""Size of a network: parameters, and multiply-adds of its layers, from shapes alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from fxpsim.autodiff import Engine, Tensor, ops
from fxpsim.nn.module import Module
from fxpsim.units.shapes import Shape, ShapeMac, ShapeUnit


@dataclass(frozen=True, kw_only=True)
class Size:
    """Size of a network for one shape of its input.

    Parameters
    ----------
    parameters : int
        Trained numbers.
    madds : int
        Products that a forward pass of the whole batch adds up on the MAC array.
    layers : dict of str to int
        The same of every layer.
    output_shape : tuple of int
        Shape of the result.
    gemms : tuple of dict
        The GEMMs, as in the workload table.
    """

    parameters: int
    madds: int
    layers: dict[str, int]
    output_shape: tuple[int, ...]
    gemms: tuple[dict[str, Any], ...]


class _Rows:
    def __init__(self) -> None:
        self.gemms: list[dict[str, Any]] = []

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
        m, k, n = gemm
        self.gemms.append({"layer": layer, "pass": pass_, "op": op, "m": m, "k": k, "n": n, "count": count})

    def vector(self, layer: str, pass_: str, op: str, read: int, write: int, operations: int) -> None:
        """Take no note: the vector unit makes no multiply-adds."""


def measure(network: Module, input_shape: tuple[int, ...], *, training: bool = False) -> Size:
    """Run a network on shapes and count.

    Parameters
    ----------
    network : Module
        The network.
    input_shape : tuple of int
        Shape of its input, the batch first.
    training : bool
        Whether to run the backward pass too; ``gemms`` then has its rows (``madds`` stays that of the forward pass).

    Examples
    --------
    >>> from fxpsim import nn
    >>> size = measure(nn.Sequential(fc=nn.Linear(4, 8)), (1, 4))
    >>> size.parameters, size.madds, size.output_shape
    (40, 32, (1, 8))
    """
    network.bind()
    engine = Engine(ShapeMac(), ShapeUnit())
    engine.training = training
    rows = engine.counter = _Rows()
    for kept in (*network.parameters(), *network.buffers()):
        kept.tensor = Tensor(engine, Shape(kept.shape), requires_grad=training)
    output = network(Tensor(engine, Shape(input_shape)))
    if training:
        ops.Loss(0, 0, 0, output, Tensor(engine, Shape(output.shape))).backward()
    for kept in (*network.parameters(), *network.buffers()):
        kept.tensor = None
    layers: dict[str, int] = {}
    for row in rows.gemms:
        if row["pass"] == "forward":
            layers[row["layer"]] = layers.get(row["layer"], 0) + row["m"] * row["k"] * row["n"] * row["count"]
    return Size(
        parameters=sum(math.prod(p.shape) for p in network.parameters()),
        madds=sum(layers.values()),
        layers=layers,
        output_shape=output.shape,
        gemms=tuple(rows.gemms),
    )
