"""A small training step and histories for it."""

from collections.abc import Callable
from typing import Any

import pytest

from fxpsim.cost.workloads import Conv, training_workload


@pytest.fixture(scope="session")
def layers() -> list[Conv]:
    return [
        Conv(name="conv", batch=4, channels=3, filters=8, input_height=8, input_width=8, kernel=(3, 3), padding=(1, 1)),
        Conv(name="fc", batch=4, channels=512, filters=10),
    ]


@pytest.fixture(scope="session")
def workload(layers: list[Conv]) -> Any:
    return training_workload(layers)


@pytest.fixture(scope="session")
def interval() -> Callable[..., dict[str, Any]]:
    def make(begin: int, end: int, layer: str, stream: str, bits: int, **more: Any) -> dict[str, Any]:
        row = {"step_begin": begin, "step_end": end, "layer": layer, "stream": stream, "word_bits": bits}
        shares = {"nonzero_share": 1.0, "saturated_share": 0.0, "underflow_share": 0.0}
        return row | {"frac_bits": None if bits == 32 else bits - 1} | shares | more

    return make
