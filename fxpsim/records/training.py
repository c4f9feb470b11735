"""From the forward GEMMs of a network to those of a training step."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fxpsim.records.workload import as_workload

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Conv:
    """A 2-D convolution layer (a fully connected one has 1 x 1 everything), with the shapes of one step.

    ``padding`` is that of one side, (vertical, horizontal); input sides are without padding.
    """

    name: str
    batch: int
    channels: int
    filters: int
    input_height: int = 1
    input_width: int = 1
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    op: str = "conv2d"

    @property
    def output_sides(self) -> tuple[int, int]:
        """Height and width of the result."""
        sides = (self.input_height, self.input_width)
        high, wide = (
            (side + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
            for side, pad, dilation, kernel, stride in zip(
                sides, self.padding, self.dilation, self.kernel, self.stride, strict=True
            )
        )
        return high, wide


def forward_row(layer: Conv) -> dict[str, Any]:
    """Return the workload row of a layer's forward pass.

    ``m = batch * out height * out width``, ``k = kernel height * kernel width * channels / groups``,
    ``n = filters / groups``, one GEMM per group.
    """
    high, wide = layer.output_sides
    positions = layer.kernel[0] * layer.kernel[1]
    return {
        "layer": layer.name,
        "pass": "forward",
        "op": layer.op,
        "m": layer.batch * high * wide,
        "k": positions * layer.channels // layer.groups,
        "n": layer.filters // layer.groups,
        "a_elements": layer.batch * layer.input_height * layer.input_width * layer.channels,
        "b_elements": positions * layer.channels * layer.filters // layer.groups,
        "out_elements": layer.batch * high * wide * layer.filters,
        "count": layer.groups,
        "kernel_positions": positions,
    }


def input_grad_row(layer: Conv) -> dict[str, Any]:
    """Return the row of the error's way back.

    Stride 1: ``m`` are the input positions and ``k`` kernel positions times filters. With a stride an input position
    meets only every stride-th kernel position: the row keeps the forward pass's number of products by the
    decomposition into ``stride height * stride width`` phases, as ``m = batch * out height * out width``,
    ``k = filters``, ``n = kernel positions * channels`` (its results are scattered and added).
    """
    high, wide = layer.output_sides
    positions = layer.kernel[0] * layer.kernel[1]
    forward = forward_row(layer)
    dense = layer.stride == (1, 1) and (high, wide) == (layer.input_height, layer.input_width)
    shape = (
        {"m": forward["m"], "k": positions * layer.filters // layer.groups, "n": layer.channels // layer.groups}
        if dense
        else {"m": forward["m"], "k": layer.filters // layer.groups, "n": forward["k"]}
    )
    return (
        forward
        | shape
        | {
            "pass": "input_grad",
            "op": f"{layer.op}_input_grad",
            "a_elements": forward["out_elements"],
            "out_elements": forward["a_elements"],
            "kernel_positions": positions if dense else 1,
        }
    )


def weight_grad_row(layer: Conv) -> dict[str, Any]:
    """Return the row of the weight gradient: the reduction runs over batch and output positions."""
    forward = forward_row(layer)
    return forward | {
        "pass": "weight_grad",
        "op": f"{layer.op}_weight_grad",
        "m": forward["k"],
        "k": forward["m"],
        "b_elements": forward["out_elements"],
        "out_elements": forward["b_elements"],
        "kernel_positions": 1,
    }


def training_workload(
    layers: list[Conv], *, first_input_grad: bool = False, frozen: Collection[str] = (), forward_only: bool = False
) -> "pd.DataFrame":
    """Return the workload of a training step (or of inference) over layers in order.

    Parameters
    ----------
    layers : list of Conv
        The layers, first one first.
    first_input_grad : bool
        Whether the first layer computes the gradient of its input, which nothing needs.
    frozen : collection of str
        Layers without weight gradient. Layers before the first trained one have no input gradient either.
    forward_only : bool
        Inference.

    Examples
    --------
    >>> layers = [Conv(name="a", batch=2, channels=8, filters=4), Conv(name="b", batch=2, channels=4, filters=3)]
    >>> training_workload(layers)[["layer", "pass", "m", "k", "n"]].values.tolist()[2:]
    [['b', 'input_grad', 2, 3, 4], ['b', 'weight_grad', 4, 2, 3], ['a', 'weight_grad', 8, 2, 4]]
    """
    rows = [forward_row(layer) for layer in layers]
    if forward_only:
        return as_workload(rows, where="training workload")
    trained = [place for place, layer in enumerate(layers) if layer.name not in frozen]
    for place in reversed(range(len(layers))):
        layer = layers[place]
        earlier = any(other < place for other in trained)
        if earlier or (place == 0 and first_input_grad):
            rows.append(input_grad_row(layer))
        if layer.name not in frozen:
            rows.append(weight_grad_row(layer))
    return as_workload(rows, where="training workload")
