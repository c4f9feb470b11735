"""A synthetic run directory: shaped like a real one, made in milliseconds."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fxpsim.records import write_table

# layer -> (m, k, n) of its forward GEMM at batch 32
LAYERS = {"conv1": (2048, 9, 6), "conv2": (512, 54, 16), "fc1": (32, 256, 84), "fc2": (32, 84, 10)}
STEPS, EPOCHS = 400, 8

RECIPE = """name = "lenet5-digits"
description = "a synthetic run"
network = "lenet5"
method = "{method}"
accelerator = "int8_systolic_32x32"
seed = 1
epochs = 8
batch = 32

[data]
name = "digits"

[cost]
accelerators = ["int8_systolic_32x32", "int8_all_integer"]
"""


def workload() -> pd.DataFrame:
    rows = []
    for layer, (m, k, n) in LAYERS.items():
        sizes = {"a": m * k, "b": k * n, "out": m * n}
        gemms = {
            "forward": ((m, k, n), ("a", "b", "out")),
            "input_grad": ((m, n, k), ("out", "b", "a")),
            "weight_grad": ((k, m, n), ("a", "out", "b")),
        }
        for name, (shape, operands) in gemms.items():
            elements = {f"{place}_elements": sizes[of] for place, of in zip(("a", "b", "out"), operands, strict=True)}
            row = {"layer": layer, "pass": name, "op": "matmul"} | dict(zip("mkn", shape, strict=True))
            rows.append(row | elements | {"count": 1})
    return pd.DataFrame(rows)


def vector_workload() -> pd.DataFrame:
    rows = [
        {
            "layer": layer,
            "pass": "forward",
            "op": "relu",
            "read_elements": m * n,
            "write_elements": m * n,
            "operations": m * n,
        }
        for layer, (m, _, n) in LAYERS.items()
    ]
    return pd.DataFrame(rows)


def history(bits: Callable[[int, str, str], int]) -> pd.DataFrame:
    """Return a history with an interval per epoch; 32 bits are float32."""
    rows = []
    per_epoch = STEPS // EPOCHS
    for epoch in range(EPOCHS):
        for place, layer in enumerate(LAYERS):
            for stream in ("weight", "activation", "error", "gradient"):
                width = bits(epoch, layer, stream)
                is_float = width == 32
                rows.append(
                    {
                        "step_begin": epoch * per_epoch,
                        "step_end": (epoch + 1) * per_epoch,
                        "layer": layer,
                        "stream": stream,
                        "word_bits": width,
                        "frac_bits": None if is_float else width - 2,
                        "nonzero_share": 0.9 - 0.1 * place,
                        "saturated_share": 0.0 if is_float else 1e-4 * (1 + epoch) * (stream == "error"),
                        "underflow_share": 0.0 if is_float else 0.02 * (place + 1) / 4,
                    }
                )
    return pd.DataFrame(rows).astype({"frac_bits": "Int64"})


def metrics(final: float) -> list[dict]:
    lines = []
    random = np.random.default_rng(1)
    for step in range(0, STEPS, 5):
        loss = 2.2 * math.exp(-step / 90) + 0.05 + 0.05 * random.random()
        lines.append(
            {"event": "train", "step": step, "epoch": step * EPOCHS / STEPS, "loss": loss}
            | {"accuracy": 1 - loss / 2.5, "mean_word_bits": 8.0, "steps_per_s": 200.0}
        )
    for epoch in range(1, EPOCHS + 1):
        loss = 2.0 * math.exp(-epoch / 2) + 0.1
        accuracy = final - 0.8 * math.exp(-epoch)
        lines.append(
            {"event": "eval", "step": epoch * STEPS // EPOCHS, "epoch": float(epoch)}
            | {"test_loss": loss, "test_accuracy": accuracy}
        )
    return lines


SCHEDULES = {
    "int8": lambda epoch, layer, stream: 8,
    "float32": lambda epoch, layer, stream: 32,
    "growing": lambda epoch, layer, stream: min(4 + epoch + (layer == "fc2"), 8) if stream != "gradient" else 8,
}


def write_run(folder: Path, *, method: str = "int8", accuracy: float = 0.9718) -> Path:
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(RECIPE.format(method=method), "utf-8")
    (folder / "environment.json").write_text(json.dumps({"python": "3.11", "numpy": "2.0"}), "utf-8")
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in metrics(accuracy)), "utf-8")
    summary = {
        "digest": "ab" * 32,
        "bit_exact": method != "float32",
        "steps": STEPS,
        "epochs": EPOCHS,
        "train_loss": 0.0631,
        "test_accuracy": accuracy,
        "wall_s": 14.2,
    }
    (folder / "summary.json").write_text(json.dumps(summary), "utf-8")
    write_table(history(SCHEDULES[method]), folder / "history.parquet")
    write_table(workload(), folder / "workload.parquet")
    write_table(vector_workload(), folder / "vector_workload.parquet")
    return folder


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Write a synthetic run: ``make_run("name", method="growing")``."""
    return lambda name, **options: write_run(tmp_path / name, **options)
