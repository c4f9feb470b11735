"""ONNX and QONNX graphs as workloads, and the bits that their Quant nodes say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from fxpsim.cost.arrays import Frame
from fxpsim.errors import UserError
from fxpsim.records import as_history
from fxpsim.records.training import Conv, training_workload

_QUANT = ("Quant", "IntQuant", "BipolarQuant")
# Nodes that move values without changing them: bits are looked for behind them.
_MOVES = (
    "Identity",
    "Reshape",
    "Flatten",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "MaxPool",
    "DequantizeLinear",
    "Dropout",
)
# tensor element type -> bits, of integer tensors
_INTEGER_BITS = {2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 12: 32, 21: 4, 22: 4}


@dataclass(frozen=True, kw_only=True)
class OnnxWorkload:
    """What a graph says: the layers, the workload, the bits by layer and stream, and what it leaves in float32."""

    layers: tuple[Conv, ...]
    workload: Frame
    bits: Mapping[tuple[str, str], int]
    float_streams: tuple[str, ...] = field(default=())

    def history(self, steps: int = 1) -> Frame:
        """Return the graph's bits as a history of ``steps`` steps; errors and gradients are float32."""
        rows: list[dict[str, Any]] = []
        for layer in self.layers:
            for stream in ("weight", "activation", "error", "gradient"):
                width = self.bits.get((layer.name, stream), 32)
                row = {"step_begin": 0, "step_end": steps, "layer": layer.name, "stream": stream, "word_bits": width}
                shares = dict.fromkeys(("nonzero_share", "saturated_share", "underflow_share"))
                rows.append(row | {"frac_bits": None if width == 32 else width - 1} | shares)
        return as_history(rows, where="ONNX graph")


def from_onnx(model: Any, *, batch: int | None = None, training: bool = False) -> OnnxWorkload:
    """Read the convolutions and matrix products of an ONNX or QONNX graph.

    Parameters
    ----------
    model : str, Path or onnx.ModelProto
        The graph. Bits come from QONNX's Quant nodes and from the integer types of QuantizeLinear; a stream without
        them is float32 and listed in ``float_streams``.
    batch : int, optional
        The value of the graph's symbolic first dimension.
    training : bool
        Add the gradient passes.

    Raises
    ------
    UserError
        If onnx is not installed, the file cannot be read, or a shape cannot be inferred.
    """
    graph = _Graph(model, batch)
    layers: list[Conv] = []
    bits: dict[tuple[str, str], int] = {}
    for node in graph.nodes:
        if node.op_type not in ("Conv", "Gemm", "MatMul"):
            continue
        layer = graph.layer(node)
        layers.append(layer)
        for stream, tensor in (("activation", node.input[0]), ("weight", node.input[1])):
            found = graph.bits(tensor)
            if found is not None:
                bits[layer.name, stream] = found
    if not layers:
        raise UserError(
            "no Conv, Gemm or MatMul node",
            where=graph.where,
            expected="a graph with at least one of them",
            remedy="check that it is the right file",
        )
    missing = [
        f"{layer.name}: {s}" for layer in layers for s in ("activation", "weight") if (layer.name, s) not in bits
    ]
    workload = training_workload(layers, forward_only=not training)
    return OnnxWorkload(layers=tuple(layers), workload=workload, bits=bits, float_streams=tuple(missing))


class _Graph:
    """A graph with inferred shapes and ways back from a tensor to what made it."""

    def __init__(self, model: Any, batch: int | None) -> None:
        try:
            onnx: Any = import_module("onnx")
            shape_inference: Any = import_module("onnx.shape_inference")
        except ImportError as error:
            raise UserError(
                "the package onnx is not installed", expected="onnx", remedy='pip install "fxpsim[onnx]"'
            ) from error
        self.where = str(model) if isinstance(model, (str, Path)) else "ONNX model"
        if isinstance(model, (str, Path)):
            try:
                model = onnx.load(str(model))
            except Exception as error:  # onnx raises what protobuf and the operating system raise
                raise UserError(
                    f"cannot read the graph: {error}",
                    where=self.where,
                    expected="an ONNX file",
                    remedy="check the path",
                ) from error
        self.nodes: list[Any] = list(model.graph.node)
        self._producer = {name: node for node in self.nodes for name in node.output}
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        plain = onnx.ModelProto()
        plain.CopyFrom(model)
        for node in plain.graph.node:
            if node.op_type in _QUANT:  # shapes pass quantizers unchanged
                first = node.input[0]
                del node.input[:], node.attribute[:]
                node.input.append(first)
                node.op_type, node.domain = "Identity", ""
        if batch is not None:
            for value in plain.graph.input:
                dimension = value.type.tensor_type.shape.dim
                if dimension and not dimension[0].dim_value:
                    dimension[0].dim_value = batch
        inferred = shape_inference.infer_shapes(plain).graph
        self._shapes = {
            value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
            for value in (*inferred.input, *inferred.value_info, *inferred.output)
        }
        self._shapes |= {name: list(tensor.dims) for name, tensor in self._constants.items()}

    def shape(self, name: str) -> list[int]:
        """Return a tensor's shape, all of it known."""
        shape = self._shapes.get(name)
        if not shape or 0 in shape:
            raise UserError(
                f"the shape of tensor {name!r} is not known (inferred: {shape})",
                where=self.where,
                expected="whole shapes for every operand of a convolution or matrix product",
                remedy="give batch=..., or run the graph through shape inference first",
            )
        return shape

    def layer(self, node: Any) -> Conv:
        """Return the layer of a Conv, Gemm or MatMul node."""
        name = node.name or node.output[0]
        first, second = self.shape(node.input[0]), self.shape(node.input[1])
        attributes = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type == "Conv":
            return self._convolution(name, first, second, attributes)
        if node.op_type == "Gemm":
            transposed = "transA" in attributes and attributes["transA"].i
            rows, channels = (first[1], first[0]) if transposed else (first[0], first[1])
            filters = second[0] if "transB" in attributes and attributes["transB"].i else second[1]
        else:
            if len(second) > 2 and any(side > 1 for side in second[:-2]):
                raise UserError(
                    f"MatMul {name!r} multiplies stacks of matrices",
                    where=self.where,
                    expected="a second operand of two dimensions",
                    remedy="write its rows into a workload table yourself (count = number of matrices)",
                )
            channels, filters, rows = first[-1], second[-1], 1
            for side in first[:-1]:
                rows *= side
        return Conv(name=name, batch=rows, channels=channels, filters=filters, op="matmul")

    def _convolution(self, name: str, x: list[int], w: list[int], attributes: Mapping[str, Any]) -> Conv:
        def pair(key: str, default: int) -> tuple[int, int]:
            values = list(attributes[key].ints) if key in attributes else [default, default]
            return (values[0], values[1])

        pads = list(attributes["pads"].ints) if "pads" in attributes else [0, 0, 0, 0]
        automatic = attributes["auto_pad"].s.decode() if "auto_pad" in attributes else "NOTSET"
        if len(x) != 4 or automatic not in ("NOTSET", "VALID") or pads[:2] != pads[2:]:
            raise UserError(
                f"convolution {name!r} has {len(x) - 2} spatial dimensions, auto_pad {automatic}, pads {pads}",
                where=self.where,
                expected="two spatial dimensions with the same explicit padding on both sides",
                remedy="write its rows into a workload table yourself",
            )
        return Conv(
            name=name,
            batch=x[0],
            channels=x[1],
            filters=w[0],
            input_height=x[2],
            input_width=x[3],
            kernel=(w[2], w[3]),
            stride=pair("strides", 1),
            padding=(pads[0], pads[1]),
            dilation=pair("dilations", 1),
            groups=attributes["group"].i if "group" in attributes else 1,
        )

    def bits(self, name: str) -> int | None:
        """Return the word length of a tensor, if a quantizer or an integer type behind it says one."""
        numpy_helper: Any = import_module("onnx.numpy_helper")
        while name in self._producer:
            node = self._producer[name]
            if node.op_type == "BipolarQuant":
                return 1
            if node.op_type in _QUANT:
                constant = self._constants.get(node.input[3])
                return None if constant is None else int(numpy_helper.to_array(constant).max())
            if node.op_type == "QuantizeLinear":
                zero = self._constants.get(node.input[2]) if len(node.input) > 2 else None
                return 8 if zero is None else _INTEGER_BITS.get(zero.data_type)
            if node.op_type not in _MOVES:
                return None
            name = node.input[0]
        constant = self._constants.get(name)
        return None if constant is None else _INTEGER_BITS.get(constant.data_type)
