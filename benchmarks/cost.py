"""Speed and memory of the cost model: 31,500 different evaluations, and a history of a million intervals.

    python benchmarks/cost.py [--accelerator NAME] [--intervals N]

The network has 21 convolutions of ResNet-18's shape, three GEMM passes and an update each. Both cases have random word
lengths: the first 500 settings for each pass, the second so many intervals that no two streams change together.
Times include validation and totals; reading and writing files are listed apart. Targets: 1 s, 3 s, 1 GiB.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from fxpsim.accelerator import load
from fxpsim.cost import CostResult, price
from fxpsim.records import Conv, as_history, training_workload, write_table

LAYERS = [
    Conv(
        name=f"conv{number}",
        batch=1,
        channels=64,
        filters=64,
        input_height=56,
        input_width=56,
        kernel=(3, 3),
        padding=(1, 1),
    )
    for number in range(21)
]
STREAMS = ("weight", "activation", "error", "gradient")


def aligned_history(settings: int) -> pd.DataFrame:
    """All streams of a layer change together; every setting of a pass is another one."""
    step = np.arange(settings)
    frames = []
    for layer in LAYERS:
        for place, stream in enumerate(STREAMS):
            # any two of weight, activation and error tell the step: 500 different settings of every pass
            bits = 2 + (step // 25, step % 25, (step // 25 + step % 25) % 25, step % 25)[place]
            frames.append(intervals(layer.name, stream, step, step + 1, bits))
    return pd.concat(frames, ignore_index=True)


def random_history(count: int) -> pd.DataFrame:
    """About ``count`` intervals at random steps."""
    rng = np.random.default_rng(0)
    each = -(-count // (len(LAYERS) * len(STREAMS)))
    frames = []
    for layer in LAYERS:
        for stream in STREAMS:
            cuts = np.sort(rng.choice(np.arange(1, 5 * each), each - 1, replace=False))
            begin, end = np.append(0, cuts), np.append(cuts, 5 * each)
            frames.append(intervals(layer.name, stream, begin, end, rng.integers(2, 17, each)))
    return pd.concat(frames, ignore_index=True)


def intervals(layer: str, stream: str, begin: np.ndarray, end: np.ndarray, bits: np.ndarray) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    columns = {"step_begin": begin, "step_end": end, "layer": layer, "stream": stream, "word_bits": bits}
    shares = {"nonzero_share": rng.random(len(begin)), "saturated_share": 0.0, "underflow_share": 0.0}
    return pd.DataFrame(columns | {"frac_bits": 1} | shares)


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def timed(name: str, work: object, *arguments: object) -> object:
    start = time.perf_counter()
    result = work(*arguments)  # type: ignore[operator]
    print(f"  {name:<28}{time.perf_counter() - start:8.3f} s   peak {peak_gib():.2f} GiB")
    return result


def priced(workload: pd.DataFrame, history: pd.DataFrame, name: str) -> CostResult:
    result = price(workload, history, load(name))
    _ = result.totals
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accelerator", default="int8_systolic_32x32")
    parser.add_argument("--intervals", type=int, default=1_000_000)
    options = parser.parse_args()
    workload = training_workload(LAYERS, first_input_grad=True)
    price(workload, aligned_history(2), load(options.accelerator))  # imports
    history = aligned_history(500)
    result = timed("31,500 evaluations", priced, workload, history, options.accelerator)
    assert isinstance(result, CostResult)
    gemm_settings = sum(group.settings.count for group in result.groups if group.of_pass != "update")
    print(f"  ({gemm_settings:,} different settings of GEMM passes)")
    history = random_history(options.intervals)
    print(f"  history of {len(history):,} intervals")
    result = timed("million intervals", priced, workload, history, options.accelerator)
    assert isinstance(result, CostResult)
    table = timed("cost table", lambda: result.table)
    assert isinstance(table, pd.DataFrame)
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("csv", "parquet"):
            path = Path(folder) / f"history.{suffix}"
            timed(f"write history.{suffix}", write_table, history, path)
            timed(f"read history.{suffix}", as_history, path)
        timed(f"write cost.csv ({len(table):,} rows)", write_table, table, Path(folder) / "cost.csv")


if __name__ == "__main__":
    main()
