"""Throughput of the MAC-array lanes as ratios to NumPy's sgemm, taken in one run: ``python benchmarks/kernels.py``.

Every round times every candidate once, in turn, so that a busy machine slows all of them alike; the medians over the
rounds are compared. BLAS has one thread, and so have the kernels unless ``--threads`` says otherwise. A ratio below 1
is faster than sgemm on a matrix product with as many multiply-adds. Operands that are quantized are drawn like those
of a trained network: weights and errors from a normal distribution, activations from its positive half.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from fxpsim.kernels import mac
from fxpsim.kernels.lanes import cpu
from fxpsim.kernels.mac import MacSpec
from fxpsim.kernels.threads import set_threads, single_threaded_blas

Candidates = dict[str, Callable[[], object]]
SATURATE = {bits: MacSpec(word_bits=bits, overflow="saturate") for bits in (16, 18, 20, 32, 40)}
ROUNDED = {
    "wrap": MacSpec(word_bits=32, product_shift=8, rounding="half_even"),
    "rarely": MacSpec(word_bits=26, overflow="saturate", product_shift=8, rounding="half_even"),
    "often": MacSpec(word_bits=20, overflow="saturate", product_shift=8, rounding="half_even"),
}


def medians(candidates: Candidates, rounds: int) -> dict[str, float]:
    """Return the median time of each candidate in seconds; the first call of each compiles."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds + 1):
        for name, candidate in candidates.items():
            begin = time.perf_counter()
            candidate()
            if turn:
                times[name].append(time.perf_counter() - begin)
    return {name: float(np.median(found)) for name, found in times.items()}


def normal(rng: np.random.Generator, dtype: type, shape: tuple[int, ...], sigma: float) -> np.ndarray:
    """Normally distributed codes, clipped to the type."""
    info = np.iinfo(dtype)
    return np.clip(np.rint(rng.standard_normal(shape) * sigma), info.min, info.max).astype(dtype)


def products(rng: np.random.Generator, m: int, k: int, n: int) -> Candidates:
    """Matrix products in every lane; the first is sgemm."""
    u8, s8 = normal(rng, np.uint8, (m, k), 50), normal(rng, np.int8, (m, k), 36)
    s16, small = normal(rng, np.int16, (m, k), 7000), normal(rng, np.int16, (m, k), 400)
    b8, b16, b_small = (normal(rng, np.dtype(t).type, (k, n), s) for t, s in (("i1", 36), ("i2", 7000), ("i2", 400)))
    f, g = s8.astype(np.float32), b8.astype(np.float32)
    out = np.empty((m, n), np.float32)
    eight = {"a_bound": 255, "b_bound": 128}
    sixteen = {"a_bound": 32768, "b_bound": 32768}
    return {
        "sgemm": lambda: np.matmul(f, g, out=out),
        "8 bit, u8 x s8, wrap 32": lambda: mac.matmul(u8, b8, MacSpec(), **eight),
        "8 bit, s8 x s8, wrap 32": lambda: mac.matmul(s8, b8, MacSpec(), a_bound=128, b_bound=128),
        "16 bit, sums below 2^31": lambda: mac.matmul(small, b_small, MacSpec(), **sixteen),
        "16 bit, estimated, wrap 48": lambda: mac.matmul(s16, b16, MacSpec(word_bits=48), **sixteen),
        "u8 x s8, saturate 20, optimistic": lambda: mac.matmul(u8, b8, SATURATE[20], **eight),
        "u8 x s8, saturate 18, clamped": lambda: mac.matmul(u8, b8, SATURATE[18], **eight),
        "u8 x s8, saturate 16, mostly saturated": lambda: mac.matmul(u8, b8, SATURATE[16], **eight),
        "u8 x s8, saturate 18, chunks of 16": lambda: mac.matmul(
            u8, b8, MacSpec(word_bits=18, overflow="saturate", order="chunked"), **eight
        ),
        "16 bit, saturate 40": lambda: mac.matmul(s16, b16, SATURATE[40], **sixteen),
        "16 bit, saturate 32, binary64 lane": lambda: mac.matmul(s16, b16, SATURATE[32], **sixteen),
        "16 bit, rounded by 8 bits, wrap 32": lambda: mac.matmul(s16, b16, ROUNDED["wrap"], **sixteen),
        "16 bit, rounded by 8 bits, saturate 26": lambda: mac.matmul(s16, b16, ROUNDED["rarely"], **sixteen),
        "16 bit, rounded by 8 bits, saturate 20": lambda: mac.matmul(s16, b16, ROUNDED["often"], **sixteen),
        "binary32, pinned order": lambda: mac.matmul_float(f, g),
    }


def convolutions(rng: np.random.Generator, n: int, h: int, c: int, k: int) -> Candidates:
    """3 x 3 convolutions and gradients; the first is sgemm on as many multiply-adds."""
    x, w = normal(rng, np.uint8, (n, h, h, c), 50), normal(rng, np.int8, (3, 3, c, k), 36)
    e = normal(rng, np.int8, (n, h, h, k), 20)
    x16, w16, e16 = (v.astype(np.int16) * scale for v, scale in ((x, 60), (w, 250), (e, 250)))
    columns, kernel = np.ones((n * h * h, 9 * c), np.float32), np.ones((9 * c, k), np.float32)
    window = {"padding": 1}
    back, onto = {"input_shape": x.shape, **window}, {"kernel_shape": w.shape, **window}

    def three(x: np.ndarray, w: np.ndarray, e: np.ndarray, spec: MacSpec, bounds: tuple[int, int, int]) -> list:
        return [
            lambda: mac.conv2d(x, w, spec, **window, x_bound=bounds[0], w_bound=bounds[1]),
            lambda: mac.conv2d_input_grad(e, w, spec, **back, e_bound=bounds[2], w_bound=bounds[1]),
            lambda: mac.conv2d_weight_grad(x, e, spec, **onto, x_bound=bounds[0], e_bound=bounds[2]),
        ]

    names = ("forward", "input gradient", "weight gradient")
    candidates: Candidates = {"sgemm after im2col": lambda: columns @ kernel}
    for label, operands, spec, bounds in (
        ("8 bit", (x, w, e), MacSpec(), (255, 128, 128)),
        ("8 bit, saturate 20", (x, w, e), SATURATE[20], (255, 128, 128)),
        ("16 bit, wrap 48", (x16, w16, e16), MacSpec(word_bits=48), (32768, 32768, 32768)),
    ):
        candidates |= {f"{label}, {name}": run for name, run in zip(names, three(*operands, spec, bounds), strict=True)}
    return candidates


def report(title: str, candidates: Candidates, macs: int, rounds: int) -> None:
    """Print the ratios to the first candidate."""
    with single_threaded_blas():
        found = medians(candidates, rounds)
    base = next(iter(found.values()))
    print(f"\n{title}: {2e-9 * macs / base:.0f} Gop/s in {next(iter(found))}")
    for name, seconds in found.items():
        print(f"  {name:42s} {seconds / base:6.2f} x  {1e3 * seconds:9.3f} ms")


def main() -> None:
    """Parse the arguments and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1, help="threads of the kernels (BLAS has one)")
    options = parser.parse_args()
    set_threads(options.threads)
    rng = np.random.default_rng(0)
    print(f"{cpu()}, {options.threads} thread(s)")
    for m, k, n in ((1920, 576, 192), (8192, 144, 16), (8192, 576, 64)):
        report(f"matrix product {m} x {k} x {n}", products(rng, m, k, n), m * k * n, options.rounds)
    for images, size, c, k in ((128, 32, 16, 16), (128, 16, 32, 32), (128, 8, 64, 64)):
        title = f"convolution 3 x 3, {images} images of {size} x {size}, {c} to {k} channels"
        report(title, convolutions(rng, images, size, c, k), images * size * size * 9 * c * k, options.rounds)


if __name__ == "__main__":
    main()
