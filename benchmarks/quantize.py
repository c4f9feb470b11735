"""Quantization in elements per second, as a share of the speed of a plain copy of the same numbers.

One thread; contestants in turn, several rounds, the best of each. Only shares mean anything.
A copy reads and writes four bytes an element, a cast to 8 bits reads four (or two) and writes one, and counts.

    python benchmarks/quantize.py --rounds 9
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from fxpsim.kernels.threads import set_threads
from fxpsim.numerics import FixedFormat, Rounding
from fxpsim.units import FixedUnit, FloatUnit, Value
from fxpsim.units.graph import leaf


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--elements", type=int, default=1 << 25)
    arguments = parser.parse_args()
    set_threads(1)
    random = np.random.default_rng(0)
    x = random.standard_normal(arguments.elements, np.float32)
    codes = np.rint(x * 4000).astype(np.int16)
    goal = np.empty_like(x)
    fmt = FixedFormat(word_bits=8, frac_bits=4)
    floating, fixed = FloatUnit(), FixedUnit()
    contestants = {"copy of float32": lambda: np.copyto(goal, x)}
    for rounding in (Rounding.HALF_EVEN, Rounding.HALF_AWAY, Rounding.FLOOR, Rounding.STOCHASTIC):
        contestants[f"float32 to s8, {rounding}"] = lambda r=rounding: floating.cast(Value(leaf(x)), fmt, r, (1, 2))
        contestants[f"s16 to s8, {rounding}"] = lambda r=rounding: fixed.cast(
            Value(leaf(codes), 12, 2**15), fmt, r, (1, 2)
        )
    contestants["largest magnitude of float32"] = lambda: floating.leading_exponent(Value(leaf(x)))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for run in contestants.values():
        run()
    for _ in range(arguments.rounds):
        for name, run in contestants.items():
            begin = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begin)
    copy = min(times["copy of float32"])
    print(f"{'':<32} {'G elements/s':>12} {'share of copy':>14}")
    for name, values in times.items():
        print(f"{name:<32} {arguments.elements / min(values) / 1e9:12.2f} {copy / min(values):14.2f}")


if __name__ == "__main__":
    main()
