"""This machine's int8, int16 and float32 GEMMs on a network's shapes: what APT's claim of faster training rests on.

Every GEMM of one training step (forward, input_grad, weight_grad) runs as a matrix product of int8, of int16 (both on
our MAC kernels, exact sums in 32 and 48 bits) and of float32 (NumPy's BLAS), on one thread, in turn, for several
rounds. Times include the packing of the operands, but neither quantization nor im2col. The table gives the ratio of
medians to float32, and beside the measured speed-up of training the modelled one: throughput 4 : 2 : 1 for int8,
int16 and float32, each GEMM at the wider of its operands. Only ratios mean anything on a shared machine.

    python benchmarks/int_gemm_cpu.py                                    # ResNet-20, CIFAR-10 shapes, batch 32
    python benchmarks/int_gemm_cpu.py --recipe alexnet-cifar10-apt --batch 64 --rounds 9
    python benchmarks/int_gemm_cpu.py --run reports/runs/apt             # with the word lengths that a run really used
    python benchmarks/int_gemm_cpu.py --out times.json                   # for fxpsim report RUN --gemm-times times.json
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from fxpsim.data import Dataset, InputKind, Split, Task
from fxpsim.kernels import mac
from fxpsim.kernels.lanes import cpu
from fxpsim.kernels.threads import set_threads, single_threaded_blas
from fxpsim.train import Session, load_recipe

KINDS = ("int8", "int16", "float32")
MODEL = {"int8": 4.0, "int16": 2.0, "float32": 1.0}
SPECS = {"int8": mac.MacSpec(word_bits=32, overflow="wrap"), "int16": mac.MacSpec(word_bits=48, overflow="wrap")}
OPERANDS = {
    "forward": ("activation", "weight"),
    "input_grad": ("error", "weight"),
    "weight_grad": ("activation", "error"),
}
Shape = tuple[int, int, int]


def workload(recipe: str, batch: int) -> list[dict]:
    """Return the GEMMs of one training step."""
    random = np.random.default_rng(0)
    inputs = random.integers(0, 256, (batch, 32, 32, 3)).astype(np.uint8)
    split = Split(inputs=inputs, targets=random.integers(0, 10, batch).astype(np.int32))
    data = Dataset.scaled(
        name="random", train=split, test=split, classes=10, kind=InputKind.IMAGE, task=Task.CLASSIFICATION
    )
    session = Session(load_recipe(recipe), data, steps=1000)
    session.step(0, split.inputs, split.targets)
    assert session.counter is not None
    return session.counter.gemms


def measured(shapes: list[Shape], rounds: int) -> dict[tuple[str, Shape], float]:
    """Return median seconds of every kind on every shape."""
    random = np.random.default_rng(0)
    times: dict[tuple[str, Shape], list[float]] = defaultdict(list)
    for shape in shapes:
        m, k, n = shape
        a, b = random.integers(-127, 128, (m, k)), random.integers(-127, 128, (k, n))
        pairs = {kind: (a.astype(kind), b.astype(kind)) for kind in KINDS}
        for done in range(rounds + 1):
            for kind, (left, right) in pairs.items():
                begin = time.perf_counter()
                if kind == "float32":
                    np.matmul(left, right)
                else:
                    bound = int(np.iinfo(kind).max) + 1
                    mac.matmul(left, right, SPECS[kind], a_bound=bound, b_bound=bound)
                if done:  # the first round compiles and warms up
                    times[kind, shape].append(time.perf_counter() - begin)
    return {key: statistics.median(values) for key, values in times.items()}


def kind_of(bits: float) -> str:
    return "int8" if bits <= 8 else "int16" if bits <= 16 else "float32"


def shares(run: Path | None) -> dict[tuple[str, str], dict[int, float]]:
    """Return (layer, stream) -> share of the steps at each word length; of published habit if no run is given."""
    if run is None:
        return {}
    import pandas as pd

    found: dict[tuple[str, str], dict[int, float]] = defaultdict(lambda: defaultdict(float))
    history = pd.read_parquet(run / "history.parquet")
    steps = history["step_end"].max()
    for row in history.itertuples():
        found[row.layer, row.stream][int(row.word_bits)] += (row.step_end - row.step_begin) / steps
    return found


def cost(gemm: dict, seconds, used: dict) -> float:
    """Return the time of a GEMM with the word lengths of its operands, by ``seconds(kind)``."""
    first, second = OPERANDS[gemm["pass"]]
    default = {"weight": {8: 1.0}, "activation": {8: 1.0}, "error": {16: 1.0}}
    a = used.get((gemm["layer"], first), default[first])
    b = used.get((gemm["layer"], second), default[second])
    # shares of two streams are combined as if they were independent
    return sum(p * q * seconds(kind_of(max(x, y))) for x, p in a.items() for y, q in b.items())


def write(path: Path, options: argparse.Namespace, gemms: list[dict], times: dict, shape_of: dict) -> None:
    """Write the seconds of a step by layer and pass."""
    rows: dict[tuple[str, str], dict] = {}
    for gemm in gemms:
        row = rows.setdefault((gemm["layer"], gemm["pass"]), dict.fromkeys((f"{kind}_s" for kind in KINDS), 0.0))
        for kind in KINDS:
            row[f"{kind}_s"] += times[kind, shape_of[id(gemm)]] * gemm["count"]
    about = {"recipe": options.recipe, "batch": options.batch, "rounds": options.rounds, "threads": 1}
    about |= {"machine": platform.machine(), "processor": str(cpu())}
    listed = [{"layer": layer, "pass": of_pass, **row} for (layer, of_pass), row in rows.items()]
    path.write_text(json.dumps(about | {"gemms": listed}, indent=1) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recipe", default="resnet20-cifar10-apt")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--run", type=Path, default=None, help="a run directory whose word lengths count")
    parser.add_argument("--out", type=Path, default=None, help="write the times as JSON, for the report of a run")
    options = parser.parse_args()
    set_threads(1)
    gemms = workload(options.recipe, options.batch)
    used = shares(options.run)
    shape_of = {id(gemm): (gemm["m"], gemm["k"], gemm["n"]) for gemm in gemms}
    with single_threaded_blas():
        times = measured(sorted(set(shape_of.values())), options.rounds)
    print(
        f"{options.recipe}, batch {options.batch}, one thread, medians of {options.rounds} rounds; speed by float32's"
    )
    print(f"{'pass':<12} {'GEMMs':>6} {'MAdds':>14} {'int8':>6} {'int16':>6}")
    for pass_ in (*OPERANDS, "all"):
        chosen = [gemm for gemm in gemms if pass_ in ("all", gemm["pass"])]
        total = {kind: sum(times[kind, shape_of[id(g)]] * g["count"] for g in chosen) for kind in KINDS}
        madds = sum(g["m"] * g["k"] * g["n"] * g["count"] for g in chosen)
        ratios = " ".join(f"{total['float32'] / total[kind]:>6.2f}" for kind in KINDS[:2])
        print(f"{pass_:<12} {len(chosen):>6} {madds:>14,} {ratios}")
    if options.out is not None:
        write(options.out, options, gemms, times, shape_of)
    base = sum(times["float32", shape_of[id(g)]] * g["count"] for g in gemms)
    real = sum(cost(g, lambda kind, g=g: times[kind, shape_of[id(g)]] * g["count"], used) for g in gemms)
    work = {id(g): g["m"] * g["k"] * g["n"] * g["count"] for g in gemms}
    model = sum(work.values()) / sum(cost(g, lambda kind, g=g: work[id(g)] / MODEL[kind], used) for g in gemms)
    habit = f"word lengths of {options.run}" if options.run else "int8 weights and activations, int16 errors"
    print(f"training ({habit}): measured {base / real:.2f}x, modelled {model:.2f}x of float32's speed, GEMMs only")


if __name__ == "__main__":
    main()
