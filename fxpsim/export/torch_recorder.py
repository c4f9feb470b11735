"""Record the layers, shapes and bits of a PyTorch training run as workload and history tables (torch is optional)."""

from collections.abc import Callable, Mapping
from typing import Any

from fxpsim.errors import UserError
from fxpsim.records import Conv, HistoryRecorder, as_history, as_workload
from fxpsim.records.training import forward_row, input_grad_row, weight_grad_row

Bits = Callable[[str, str], int] | Mapping[str, int] | int

_LAYERS = ("Conv1d", "Conv2d", "Linear")


class TorchRecorder:
    """Watches the convolutions and linear layers of a module through hooks.

    The workload is that of the last finished step: forward GEMMs in order of execution, an input gradient where the
    layer's input needs one, a weight gradient where its weight does. The history has the bits that ``bits`` says for
    each layer and stream at each step, and the shares of non-zero elements that were seen.

    Parameters
    ----------
    module : torch.nn.Module
        The model.
    bits : callable, mapping or int
        Word length by (layer name, stream), by stream, or one for all; 32 is float32. Streams are ``weight``,
        ``activation``, ``error`` and ``gradient``. A callable is asked anew at every step.

    Examples
    --------
    Use it around training steps::

        with TorchRecorder(model, bits={"weight": 8, "activation": 8, "error": 8}) as recorder:
            for inputs, targets in loader:
                loss_of(model(inputs), targets).backward()
                recorder.step()
                optimizer.step()
        price(recorder.workload(), recorder.history(), "int8_systolic_32x32")
    """

    def __init__(self, module: Any, *, bits: Bits = 32) -> None:
        try:
            import torch  # pyright: ignore[reportMissingImports] - optional
        except ImportError as error:
            raise UserError(
                "the package torch is not installed", expected="PyTorch", remedy="pip install torch"
            ) from error
        self._torch = torch
        self._bits = bits
        self._history = HistoryRecorder()
        self._done = 0
        self._calls: list[tuple[Conv, bool, bool]] = []
        self._last: list[tuple[Conv, bool, bool]] = []
        self._counts: dict[tuple[str, str], tuple[int, int]] = {}
        self._hooks: list[Any] = []
        self._layers = {name: child for name, child in module.named_modules() if type(child).__name__ in _LAYERS}
        #: layers with weights of two and more dimensions that have no GEMM here, by name and type
        self.not_recorded = {
            name: type(child).__name__
            for name, child in module.named_modules()
            if name not in self._layers and any(weight.dim() > 1 for weight in child.parameters(recurse=False))
        }
        if not self._layers:
            raise UserError(
                "the module has no layer to record",
                where=type(module).__name__,
                expected="at least one of " + ", ".join(_LAYERS),
                remedy="pass the whole model",
            )

    def __enter__(self) -> "TorchRecorder":
        for name, child in self._layers.items():
            self._hooks.append(child.register_forward_hook(self._forward_hook(name)))
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def step(self) -> None:
        """End a step: call it after ``backward()``, before gradients are cleared."""
        if not self._calls:
            raise UserError(
                "no layer ran since the last step",
                where="TorchRecorder.step",
                expected="a forward pass between two calls, inside the with block",
                remedy="call step() once for every forward and backward pass",
            )
        for name, child in self._layers.items():
            self._count(name, "weight", child.weight)
            if child.weight.grad is not None:
                self._count(name, "gradient", child.weight.grad)
        for (name, stream), (elements, nonzero) in self._counts.items():
            width = self._width(name, stream)
            frac = None if width == 32 else width - 1
            self._history.record(self._done, name, stream, width, frac, elements, nonzero, 0, 0)
        self._last, self._calls, self._counts = self._calls, [], {}
        self._done += 1

    def workload(self) -> Any:
        """Return the workload table of the last step (a DataFrame)."""
        rows = [forward_row(layer) for layer, _, _ in self._last]
        for layer, input_grad, weight_grad in reversed(self._last):
            rows += [input_grad_row(layer)] if input_grad else []
            rows += [weight_grad_row(layer)] if weight_grad else []
        return as_workload(rows, where="PyTorch module")

    def history(self) -> Any:
        """Return the history table (a DataFrame).

        Fraction lengths of integers are ``word_bits - 1``; saturation and underflow are not known and null.
        """
        unknown = {"saturated_share": None, "underflow_share": None}
        return as_history([row | unknown for row in self._history.rows()], where="PyTorch module")

    def _width(self, layer: str, stream: str) -> int:
        if isinstance(self._bits, int):
            return self._bits
        if isinstance(self._bits, Mapping):
            return self._bits.get(stream, 32)
        return self._bits(layer, stream)

    def _count(self, layer: str, stream: str, tensor: Any) -> None:
        elements, nonzero = self._counts.get((layer, stream), (0, 0))
        seen = int(self._torch.count_nonzero(tensor.detach()))
        self._counts[layer, stream] = (elements + tensor.numel(), nonzero + seen)

    def _forward_hook(self, name: str) -> Callable[[Any, Any, Any], None]:
        def hook(child: Any, inputs: Any, output: Any) -> None:
            tensor, learning = inputs[0], self._torch.is_grad_enabled()
            gradients = (learning and tensor.requires_grad, learning and child.weight.requires_grad)
            self._calls.append((_layer(name, child, tensor), *gradients))
            self._count(name, "activation", tensor)
            if output.requires_grad:
                output.register_hook(lambda error: self._count(name, "error", error))

        return hook


def _layer(name: str, child: Any, tensor: Any) -> Conv:
    """Return the shapes of one call of a layer."""
    if type(child).__name__ == "Linear":
        rows = tensor.numel() // tensor.shape[-1]
        return Conv(name=name, batch=rows, channels=child.in_features, filters=child.out_features, op="matmul")
    if isinstance(child.padding, str):
        raise UserError(
            f"layer {name!r} has padding {child.padding!r}",
            where="TorchRecorder",
            expected="padding in numbers",
            remedy="give the layer's padding as a number",
        )

    def pair(values: Any, missing: int) -> tuple[int, int]:
        return (values[0], values[1]) if len(values) == 2 else (missing, values[0])

    sides = list(tensor.shape[2:]) if tensor.dim() > 3 else [1, tensor.shape[-1]]
    return Conv(
        name=name,
        batch=tensor.shape[0],
        channels=child.in_channels,
        filters=child.out_channels,
        input_height=sides[0],
        input_width=sides[1],
        kernel=pair(child.kernel_size, 1),
        stride=pair(child.stride, 1),
        padding=pair(child.padding, 0),
        dilation=pair(child.dilation, 1),
        groups=child.groups,
    )
