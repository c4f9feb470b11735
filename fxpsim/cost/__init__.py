"""The cost model: from bit-width history to MACs, bit operations, traffic, cycles and energy.

>>> from fxpsim.cost import baseline_history, compare, price
>>> row = {"layer": "fc", "pass": "forward", "op": "matmul", "m": 512, "k": 256, "n": 256}
>>> work = [{**row, "a_elements": 512 * 256, "b_elements": 256 * 256, "out_elements": 512 * 256}]
>>> ours = price(work, baseline_history(work, word_bits=8, steps=3), "int8_systolic_32x32")
>>> base = price(work, baseline_history(work, word_bits=32, steps=3), "int8_systolic_32x32")
>>> compare(ours, base).model_size_ratio
0.25
"""

from fxpsim.cost.baseline import Comparison, baseline_history, compare
from fxpsim.cost.compute import Gemm
from fxpsim.cost.explain import Constant
from fxpsim.cost.options import Options
from fxpsim.cost.pricing import price
from fxpsim.cost.result import CostResult
from fxpsim.cost.single import evaluate

__all__ = [
    "Comparison",
    "Constant",
    "CostResult",
    "Gemm",
    "Options",
    "baseline_history",
    "compare",
    "evaluate",
    "price",
]
