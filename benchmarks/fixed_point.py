"""Fixed-point arrays side by side: fxpsim, NumPy, apytypes, fxpmath, and qtorch where it is installed.

    python benchmarks/fixed_point.py [--repeat 25] [--best] [--markdown] [--only matmul]

The same work for everyone: 1e6 normal float64 numbers to s16f8 with saturation in every mode; the product of two such
arrays, requantized; a 256 x 256 x 256 matrix product, exact, in a 32-bit wrapping accumulator, and in an 18-bit one
that rounds each product and saturates at every step. All results are checked against fxpsim's exact ones, and wrong
elements are counted. Libraries take turns in one process; each timed call follows an untimed one of the same job. Times
are medians, or minima with --best, which a busy machine disturbs less; only their ratios mean anything.
"""

import argparse
import importlib
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

import fxpsim as fx
from fxpsim.array import multiply
from fxpsim.kernels.threads import threads
from fxpsim.numerics import Rounding

ELEMENTS = 1_000_000
SIZE = 256
Q88 = fx.FixedFormat(word_bits=16, frac_bits=8)
ACCUMULATOR = fx.FixedFormat(word_bits=18, frac_bits=8)
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal(ELEMENTS) * 20, RNG.standard_normal(ELEMENTS)
# sums of 256 products have a standard deviation of half the 18-bit range: some saturate on the way
A, B = RNG.standard_normal((SIZE, SIZE)) * 4, RNG.standard_normal((SIZE, SIZE)) * 4
QX, QY, QA, QB = (fx.cast(v, Q88) for v in (X, Y, A, B))
RANDOM = fx.RandomBits(seed=1)

Job = Callable[[], Any]
Library = dict[str, Job]  # task -> what does it; the result as float64 or anything np.asarray takes


def fxpsim_jobs() -> Library:
    jobs: Library = {
        f"cast {mode.value}": (lambda m=mode: fx.cast(X, Q88, m, "saturate", random=RANDOM)) for mode in Rounding
    }
    saturating = fx.Accumulator(format=ACCUMULATOR, rounding="half_even", overflow="saturate")
    chunked = fx.Accumulator(format=ACCUMULATOR, rounding="half_even", overflow="saturate", order="chunked", chunk=16)
    wrapping = fx.Accumulator(format="s32f16", overflow="wrap")
    return jobs | {
        "multiply, requantize": lambda: multiply(QX, QY, Q88, "half_even", "saturate"),
        "matmul exact": lambda: fx.matmul(QA, QB),
        "matmul 32-bit wrap": lambda: fx.matmul(QA, QB, wrapping),
        "matmul 18-bit saturate": lambda: fx.matmul(QA, QB, saturating),
        "matmul 18-bit, chunks of 16": lambda: fx.matmul(QA, QB, chunked),
    }


def numpy_jobs() -> Library:
    """Plain NumPy as people write it: float64 in, float64 out."""
    scale, low, high = 256.0, float(Q88.min_code), float(Q88.max_code)
    rules: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "floor": np.floor,
        "ceil": np.ceil,
        "toward_zero": np.trunc,
        "half_even": np.rint,
        "stochastic": lambda v: np.floor(v + RNG.random(v.size)),
    }
    a, b = QA.codes.astype(np.float64), QB.codes.astype(np.float64)

    def step_by_step() -> np.ndarray:
        total = np.zeros((SIZE, SIZE))
        low, high = float(ACCUMULATOR.min_code), float(ACCUMULATOR.max_code)
        for k in range(SIZE):
            np.clip(total + np.rint(np.multiply.outer(a[:, k], b[k]) / scale), low, high, out=total)
        return total / scale

    jobs: Library = {
        f"cast {name}": (lambda f=rule: np.clip(f(X * scale), low, high).astype(np.int16) / scale)
        for name, rule in rules.items()
    }
    codes = [q.codes.astype(np.int64) for q in (QX, QY)]
    return jobs | {
        "multiply, requantize": lambda: np.clip(np.rint(codes[0] * codes[1] / scale), low, high) / scale,
        "matmul exact": lambda: (a @ b) / scale**2,
        "matmul 18-bit saturate": step_by_step,
    }


def apytypes_jobs() -> Library:
    """apytypes: floats enter through a 64-bit intermediate, because from_float has no modes."""
    import apytypes as apy

    modes = {
        Rounding.FLOOR: "TO_NEG",
        Rounding.CEIL: "TO_POS",
        Rounding.TOWARD_ZERO: "TO_ZERO",
        Rounding.AWAY_FROM_ZERO: "TO_AWAY",
        Rounding.HALF_UP: "TIES_POS",
        Rounding.HALF_DOWN: "TIES_NEG",
        Rounding.HALF_TOWARD_ZERO: "TIES_ZERO",
        Rounding.HALF_AWAY: "TIES_AWAY",
        Rounding.HALF_EVEN: "TIES_EVEN",
        Rounding.HALF_ODD: "TIES_ODD",
        Rounding.JAM: "JAM",
        Rounding.JAM_UNBIASED: "JAM_UNBIASED",
        Rounding.STOCHASTIC: "STOCH_WEIGHTED",
        Rounding.STOCHASTIC_EQUAL: "STOCH_EQUAL",
    }
    sat, even = apy.OverflowMode.SAT, apy.QuantizationMode.TIES_EVEN
    x, y, a, b = (apy.APyFixedArray.from_float(q.value, int_bits=8, frac_bits=8) for q in (QX, QY, QA, QB))

    def cast(mode: Rounding) -> Any:
        wide = apy.APyFixedArray.from_float(X, int_bits=24, frac_bits=40)
        return wide.cast(int_bits=8, frac_bits=8, quantization=apy.QuantizationMode[modes[mode]], overflow=sat)

    def accumulate(int_bits: int, frac_bits: int, **context: Any) -> Any:
        with apy.APyFixedAccumulatorContext(int_bits=int_bits, frac_bits=frac_bits, **context):
            return a @ b

    jobs: Library = {f"cast {mode.value}": (lambda m=mode: cast(m)) for mode in Rounding}
    return jobs | {
        "multiply, requantize": lambda: (x * y).cast(int_bits=8, frac_bits=8, quantization=even, overflow=sat),
        "matmul exact": lambda: a @ b,
        "matmul 32-bit wrap": lambda: accumulate(16, 16),
        "matmul 18-bit saturate": lambda: accumulate(10, 8, quantization=even, overflow=sat),
    }


def fxpmath_jobs() -> Library:
    from fxpmath import Fxp

    def cast(rounding: str) -> Any:
        return Fxp(X, signed=True, n_word=16, n_frac=8, rounding=rounding, overflow="saturate")

    names = {"floor": "floor", "ceil": "ceil", "toward_zero": "trunc", "half_even": "around"}
    x, y, a, b = (Fxp(q.value, signed=True, n_word=16, n_frac=8) for q in (QX, QY, QA, QB))
    jobs: Library = {f"cast {ours}": (lambda r=theirs: cast(r)) for ours, theirs in names.items()}
    even = {"signed": True, "n_word": 16, "n_frac": 8, "rounding": "around", "overflow": "saturate"}
    return jobs | {
        "multiply, requantize": lambda: Fxp(x * y, **even),
        "matmul exact": lambda: np.dot(a, b),
    }


def qtorch_jobs() -> Library:
    """qtorch works in float32: results are wrong where 24 bits do not do."""
    torch, quant = importlib.import_module("torch"), importlib.import_module("qtorch.quant")
    torch.set_num_threads(threads())
    x, qx, qy = (torch.from_numpy(v.astype(np.float32)) for v in (X, QX.value, QY.value))

    def to(v: Any, rounding: str) -> Any:
        return quant.fixed_point_quantize(v, wl=16, fl=8, clamp=True, rounding=rounding).numpy()

    return {
        "cast half_even": lambda: to(x, "nearest"),
        "cast stochastic": lambda: to(x, "stochastic"),
        "multiply, requantize": lambda: to(qx * qy, "nearest"),
    }


LIBRARIES: dict[str, Callable[[], Library]] = {
    "fxpsim": fxpsim_jobs,
    "NumPy": numpy_jobs,
    "apytypes": apytypes_jobs,
    "fxpmath": fxpmath_jobs,
    "qtorch": qtorch_jobs,
}


def values(result: Any) -> np.ndarray:
    if hasattr(result, "to_numpy"):
        return np.asarray(result.to_numpy())
    return np.asarray(result.get_val() if hasattr(result, "get_val") else result, dtype=np.float64)


def measure(
    libraries: dict[str, Library], repeat: int, summary: Callable[[list[float]], float], only: str
) -> dict[str, dict[str, tuple[float, int]]]:
    """Return task -> library -> (milliseconds, wrong elements)."""
    table: dict[str, dict[str, tuple[float, int]]] = {}
    for task in [task for task in libraries["fxpsim"] if only in task]:
        jobs = {name: jobs[task] for name, jobs in libraries.items() if task in jobs}
        exact = values(jobs["fxpsim"]())
        wrong = {
            name: -1 if "stochastic" in task and name != "fxpsim" else int((values(job()) != exact).sum())
            for name, job in jobs.items()
        }
        times: dict[str, list[float]] = {name: [] for name in jobs}
        for _ in range(repeat):
            for name, job in jobs.items():
                if sum(times[name]) > 0.5:
                    continue  # the slow ones run less often
                job()
                start = time.perf_counter()
                job()
                times[name].append(time.perf_counter() - start)
        table[task] = {name: (summary(t) * 1e3, wrong[name]) for name, t in times.items()}
    return table


def report(table: dict[str, dict[str, tuple[float, int]]], names: list[str], *, markdown: bool) -> None:
    head = ["task", *(f"{name} ms" for name in names), "apytypes / fxpsim"]
    print(("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|") if markdown else "")
    if not markdown:
        print(f"{head[0]:30s}" + "".join(f"{h:>22s}" for h in head[1:]))
    for task, row in table.items():
        cells = []
        for name in names:
            if name not in row:
                cells.append("-")
                continue
            ms, wrong = row[name]
            cells.append(f"{ms:.2f}" + (f" ({wrong} wrong)" if wrong > 0 else ""))
        cells.append(f"{row['apytypes'][0] / row['fxpsim'][0]:.0f}x" if "apytypes" in row else "-")
        if markdown:
            print("| " + " | ".join([task, *cells]) + " |")
        else:
            print(f"{task:30s}" + "".join(f"{c:>22s}" for c in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=25)
    parser.add_argument("--best", action="store_true", help="minima instead of medians")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--only", default="", help="tasks with this text in their name")
    arguments = parser.parse_args()
    libraries: dict[str, Library] = {}
    for name, make in LIBRARIES.items():
        try:
            libraries[name] = make()
        except ImportError as error:
            print(f"{name} is not installed: {error}")
    kind = "minima" if arguments.best else "medians"
    print(f"{threads()} threads for fxpsim; {ELEMENTS} elements; {kind} of up to {arguments.repeat} runs")
    table = measure(libraries, arguments.repeat, min if arguments.best else median, arguments.only)
    report(table, list(libraries), markdown=arguments.markdown)


if __name__ == "__main__":
    main()
