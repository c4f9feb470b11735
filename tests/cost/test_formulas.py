"""The formulas that a result prints give the numbers that it has."""

import math
import re

import pytest

from fxpsim.accelerator import load
from fxpsim.cost import Gemm, baseline_history, evaluate, price
from fxpsim.cost.formulas import compute_formula
from fxpsim.shipped import names

GEMM = Gemm(m=100, k=72, n=40, a_elements=7200, b_elements=2880, out_elements=4000, kernel_positions=9)


def evaluated(text: str, **values: float) -> float:
    """Evaluate a printed formula: juxtaposition is multiplication."""
    text = re.sub(r"(?<=[\w)]) (?=[a-z(])", " * ", text.replace("^", "**"))
    text = re.sub(r"\b(ceil|floor|max|min) \* \(", r"\1(", text)
    return eval(text, {"ceil": math.ceil, "floor": math.floor, "max": max, "min": min}, values)


@pytest.mark.parametrize("change", [{}, {"mac_array.fill_drain": True}, {"mac_array.mapping": "channels"}])
@pytest.mark.parametrize("dataflow", ["weight_stationary", "input_stationary", "output_stationary"])
@pytest.mark.parametrize("name", ["int8_systolic_32x32", "bitfusion_16x32", "loom_like"])
def test_printed_compute_formula_gives_the_cycles(name: str, dataflow: str, change: dict[str, object]) -> None:
    target = load(name).with_set("mac_array.dataflow", dataflow)
    for key, value in change.items():
        target = target.with_set(key, value)
    closed, rate = compute_formula(target).split(" per GEMM; ")
    for a, b in ((8, 8), (3, 6), (8, 2), (15, 3)):
        values: dict[str, float] = {"m": 100, "k": 72, "n": 40, "positions": 9, "a": a, "b": b, "p": 1, "s": 1, "f": 1}
        for part in re.split(r", (?=\w = )", rate):
            symbol, _, text = part.partition(" = ")
            values[symbol] = 1 if "passes of" in text else evaluated(text, **values)
        found = evaluate(target, GEMM, a_bits=a, b_bits=b).cycles.tolist()
        assert found == [evaluated(closed, **values)]


@pytest.mark.parametrize("name", names("accelerators"))
def test_every_column_has_a_formula(name: str) -> None:
    row = {"layer": "l", "pass": "forward", "op": "matmul", "m": 8, "k": 8, "n": 8}
    work = [row | {"a_elements": 64, "b_elements": 64, "out_elements": 64}]
    result = price(work, baseline_history(work, word_bits=8, steps=1), name)
    columns = set(result.table.columns) - {"step_begin", "step_end", "layer", "pass"}
    assert columns <= set(result.formulas)
