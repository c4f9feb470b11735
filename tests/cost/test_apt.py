"""APT's training speed-up on a CPU, by hand, and widths by layers and steps."""

from typing import Any

import pytest

from fxpsim.cost.metrics import cpu_speedup, width_shares
from fxpsim.cost.workloads import Conv, training_workload
from fxpsim.errors import UserError

WORK = training_workload(
    [Conv(name="a", batch=2, channels=4, filters=8), Conv(name="b", batch=2, channels=8, filters=4)]
)


def history(interval: Any) -> list[dict[str, Any]]:
    rows = [interval(0, 4, layer, stream, 8) for layer in "ab" for stream in ("weight", "activation")]
    rows += [interval(0, 1, "a", "error", 8), interval(1, 4, "a", "error", 16)]
    return [*rows, interval(0, 2, "b", "error", 16), interval(2, 4, "b", "error", 24)]


def test_modeled(interval: Any) -> None:
    found = cpu_speedup(WORK, history(interval))
    # in units of 64 MACs: forward and gradients of a (no input gradient) and of b, four steps
    base = 4 * (2 + 3)
    cost = 4 * 2 / 4 + (1 / 4 + 3 / 2) + 2 * (2 / 2 + 2 / 1)
    assert [metric.name for metric in found] == ["apt_modeled_speedup"]
    assert found[0].value == pytest.approx(base / cost)


def test_measured(interval: Any) -> None:
    times = [
        {"layer": layer, "pass": of_pass, "int8_s": 1.0, "int16_s": 3.0, "float32_s": 5.0}
        for layer, of_pass in (("a", "forward"), ("b", "forward"), ("a", "weight_grad"), ("b", "input_grad"))
    ]
    with pytest.raises(UserError, match="weight_grad GEMM of layer 'b' was not measured"):
        cpu_speedup(WORK, history(interval), times=times)
    times += [{"layer": "b", "pass": "weight_grad", "int8_s": 1.0, "int16_s": 3.0, "float32_s": 5.0}]
    _, measured = cpu_speedup(WORK, history(interval), times=times)
    assert measured.value == pytest.approx(5 * 5 * 4 / (4 * 2 * 1 + (1 + 3 * 3) + 2 * (2 * 3 + 2 * 5)))


def test_float_runs_gain_nothing(interval: Any) -> None:
    rows = [interval(0, 4, layer, stream, 32) for layer in "ab" for stream in ("weight", "activation", "error")]
    assert cpu_speedup(WORK, rows)[0].value == 1
    assert width_shares(rows)["error"] == {"float32": 1.0}


def test_shares_of_layers_and_steps(interval: Any) -> None:
    shares = width_shares(history(interval))
    assert shares["error"] == {"8": 1 / 8, "16": 5 / 8, "24": 2 / 8}
    assert shares["weight"] == {"8": 1.0}
