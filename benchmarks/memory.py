"""Peak memory of a ResNet-20 training step (batch 128), exact integers against PyTorch's float32.

Each contestant of `training_step.py` runs in a process of its own: first two steps on two images, which load libraries
and compiled kernels, then four steps on 128. Printed are the peak of the whole process and its growth between the two.

    pip install torch            # a CPU build
    python benchmarks/memory.py
    python benchmarks/memory.py int8 int8-all-integer
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys

import training_step

TORCH = "torch-float32"


def peak_mb() -> float:
    """Return the largest resident size so far, in MB (Linux counts it in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def run(name: str, threads: int) -> None:
    """Make the steps of one contestant and print its line."""
    from fxpsim.kernels.threads import set_threads

    peaks = []
    for batch, steps in ((2, 2), (128, 4)):
        training_step.BATCH = batch
        if name == TORCH:
            step = training_step.torch_step(False, threads)
        else:
            set_threads(threads)
            step = training_step.ours(training_step.CONTESTANTS[name])
        for _ in range(steps):
            step()
        peaks.append(peak_mb())
    print(f"{name:<30} {peaks[1]:10.0f} {peaks[1] - peaks[0]:10.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[TORCH, *training_step.CONTESTANTS])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--alone", action="store_true", help="run the one contestant in this process")
    arguments = parser.parse_args()
    if arguments.alone:
        run(arguments.names[0], arguments.threads)
        return
    print(f"{'step':<30} {'peak MB':>10} {'growth MB':>10}", flush=True)
    for name in arguments.names:
        command = [sys.executable, __file__, "--alone", "--threads", str(arguments.threads), name]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
