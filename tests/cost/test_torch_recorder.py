"""The PyTorch recorder (runs where torch is installed)."""

from typing import Any

import pytest

from fxpsim.cost import price
from fxpsim.errors import UserError
from fxpsim.export.torch_recorder import TorchRecorder

torch = pytest.importorskip("torch", exc_type=ImportError)


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1, groups=1)
        self.conv1d = torch.nn.Conv1d(8, 4, 3)
        self.embedding = torch.nn.Embedding(4, 4)
        self.fc = torch.nn.Linear(4, 5)

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.conv(x)).flatten(2)
        return self.fc(self.conv1d(x).mean(2))


def test_workload_is_what_torch_counts_and_history_has_the_bits() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model, inputs = Net(), torch.randn(2, 3, 8, 8)
    widths = iter(range(100))

    def bits(layer: str, stream: str) -> int:
        return 8 if stream != "error" else 4 + 2 * (next(widths) // 3)

    with TorchRecorder(model, bits=bits) as recorder:
        for _ in range(3):
            model.zero_grad()
            with FlopCounterMode(display=False) as counter:
                model(inputs).sum().backward()
            recorder.step()
    result = price(recorder.workload(), recorder.history(), "int8_systolic_32x32")
    assert 2 * result.totals["macs"] == 3 * counter.get_total_flops()
    history = recorder.history()
    errors = history[(history["layer"] == "fc") & (history["stream"] == "error")]
    assert errors["word_bits"].tolist() == [4, 6, 8]
    weights = history[(history["layer"] == "fc") & (history["stream"] == "weight")]
    assert weights[["step_begin", "step_end", "word_bits"]].values.tolist() == [[0, 3, 8]]
    assert recorder.not_recorded == {"embedding": "Embedding"}


def test_frozen_layers_and_inference_have_no_gradients() -> None:
    model, inputs = Net(), torch.randn(2, 3, 8, 8)
    model.conv.weight.requires_grad_(False)
    model.conv.bias.requires_grad_(False)
    with TorchRecorder(model) as recorder:
        model(inputs).sum().backward()
        recorder.step()
        assert recorder.workload()["pass"].tolist() == ["forward"] * 3 + ["input_grad", "weight_grad", "weight_grad"]
        with torch.no_grad():
            model(inputs)
        recorder.step()
        assert recorder.workload()["pass"].tolist() == ["forward"] * 3
        with pytest.raises(UserError, match="no layer ran"):
            recorder.step()
    model(inputs)
    with pytest.raises(UserError, match="no layer ran"):
        recorder.step()


def test_a_module_without_layers_is_refused() -> None:
    with pytest.raises(UserError, match="no layer to record"):
        TorchRecorder(torch.nn.ReLU())
