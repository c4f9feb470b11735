"""Draw the curves of the pages under docs/numerics: ``python docs/plot_numerics.py``.

Every point is a cast by fxpsim itself.
"""

from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import numpy as np

import fxpsim as fx
from fxpsim.array import QTensor, functions

IMAGES = Path(__file__).parent / "images" / "numerics"
FINE = np.arange(-3 * 64, 3 * 64 + 1) / 64  # in units in the last place; ties and integers are among them
GRAY, BLUE, ORANGE = "#b0b0b0", "#1f6fb4", "#d9731a"
FAMILIES = {
    "directed": ["floor", "ceil", "toward_zero", "away_from_zero"],
    "nearest": ["half_up", "half_down", "half_toward_zero", "half_away", "half_even", "half_odd"],
    "jamming": ["jam", "jam_unbiased"],
}


class EveryNumber:
    """All random numbers of four bits, each once, for an array whose last axis they are."""

    mask = 0xF0000000

    def words(self, count: int, *, start: int = 0) -> np.ndarray:
        """Return the words."""
        return ((np.arange(start, start + count) % 16) << 28).astype(np.uint32)


def panel(axis: plt.Axes, title: str) -> None:
    """Give a panel its frame."""
    axis.set_title(title, fontsize=8, family="monospace")
    axis.grid(True, color="#e8e8e8", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(labelsize=7)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def jumps(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Lift the pen where a step function jumps."""
    out = y.astype(float).copy()
    out[1:][np.abs(np.diff(y)) > 0.5] = np.nan
    return out


def rounding_family(name: str, modes: list[str]) -> None:
    """Draw result and error of each mode over the exact value, in units in the last place."""
    figure, axes = plt.subplots(2, len(modes), figsize=(2.1 * len(modes), 4.2), sharex=True, squeeze=False)
    for top, bottom, mode in zip(*axes, modes, strict=True):
        codes = fx.cast(FINE, "s8f0", mode).codes
        panel(top, mode)
        panel(bottom, "")
        top.plot(FINE, FINE, color=GRAY, linewidth=0.8)
        top.plot(FINE, codes, ".", color=BLUE, markersize=1.8)
        ties = FINE % 1 == 0.5
        top.plot(FINE[ties], codes[ties], "o", color=ORANGE, markersize=3)
        bottom.plot(FINE, codes - FINE, ".", color=BLUE, markersize=1.8)
        bottom.plot(FINE[ties], (codes - FINE)[ties], "o", color=ORANGE, markersize=3)
        bottom.set_ylim(-1.2, 1.2)
    axes[0, 0].set_ylabel("code", fontsize=8)
    axes[1, 0].set_ylabel("error [ulp]", fontsize=8)
    finish(figure, f"rounding-{name}")


def stochastic() -> None:
    """Draw mean and spread over all random numbers of four bits."""
    figure, axes = plt.subplots(2, 2, figsize=(5.6, 4.2), sharex=True)
    for top, bottom, mode in zip(*axes, ["stochastic", "stochastic_equal"], strict=True):
        grid = np.repeat(FINE[:, None], 16, axis=1)
        codes = fx.cast(grid, "s8f0", mode, random=EveryNumber()).codes
        panel(top, mode)
        panel(bottom, "")
        top.plot(FINE, FINE, color=GRAY, linewidth=0.8)
        top.plot(FINE, codes.min(axis=1), ".", color=BLUE, markersize=1.8)
        top.plot(FINE, codes.max(axis=1), ".", color=BLUE, markersize=1.8)
        top.plot(FINE, jumps(FINE, codes.mean(axis=1)), color=ORANGE, linewidth=1.2)
        bottom.plot(FINE, codes.mean(axis=1) - FINE, ".", color=ORANGE, markersize=1.8)
        bottom.set_ylim(-0.6, 0.6)
    axes[0, 0].set_ylabel("codes, mean", fontsize=8)
    axes[1, 0].set_ylabel("error of the mean [ulp]", fontsize=8)
    finish(figure, "rounding-stochastic")


def overflow() -> None:
    """Draw what becomes of codes outside a word of four bits."""
    modes = [("saturate", 0), ("saturate_symmetric", 0), ("saturate_zero", 0), ("wrap", 0), ("wrap", 1), ("wrap", 2)]
    modes += [("wrap_sign_magnitude", 0), ("wrap_sign_magnitude", 1), ("wrap_sign_magnitude", 2)]
    codes = np.arange(-36, 37)
    figure, axes = plt.subplots(3, 3, figsize=(7.6, 6.0), sharex=True, sharey=True)
    for axis, (mode, bits) in zip(axes.ravel(), modes, strict=True):
        result = fx.cast(QTensor(codes, "s8f0"), "s4f0", "floor", mode, overflow_bits=bits).codes
        panel(axis, mode + (f", overflow_bits={bits}" if bits else ""))
        axis.axhspan(-8, 7, color="#f2f6fa")
        axis.plot(codes, result, "-", color=GRAY, linewidth=0.6)
        axis.plot(codes, result, ".", color=BLUE, markersize=3)
    finish(figure, "overflow")


def function_errors() -> None:
    """Draw the error of the table functions over all inputs."""
    cases = [
        ("exp", "s16f12", "u16f11", np.exp),
        ("log2", "u16f12", "s16f11", np.log2),
        ("sigmoid", "s16f12", "u16f16", lambda v: 1 / (1 + np.exp(-v))),
        ("tanh", "s16f12", "s16f15", np.tanh),
    ]
    figure, axes = plt.subplots(1, 4, figsize=(9.6, 2.4), sharey=True)
    for axis, (name, source, target, exact) in zip(axes, cases, strict=True):
        fmt = fx.FixedFormat.parse(source)
        x = QTensor(np.arange(max(fmt.min_code, 1) if name == "log2" else fmt.min_code, fmt.max_code + 1), fmt)
        y = getattr(functions, name)(x, target)
        error = (y.value - np.clip(exact(x.value), y.format.min, y.format.max)) / y.format.resolution
        blocks = np.array_split(np.arange(x.size), 240)
        centers = [x.value[part].mean() for part in blocks]
        panel(axis, f"{name}: {source} to {target}")
        axis.fill_between(
            centers, [error[p].min() for p in blocks], [error[p].max() for p in blocks], color=BLUE, linewidth=0
        )
        axis.set_ylim(-1, 1)
    axes[0].set_ylabel("error [ulp]", fontsize=8)
    finish(figure, "functions")


def finish(figure: plt.Figure, name: str) -> None:
    """Write the figure, the same bytes for the same curves."""
    figure.tight_layout()
    figure.savefig(IMAGES / f"{name}.png", dpi=110, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    """Draw everything."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, modes in FAMILIES.items():
        rounding_family(name, modes)
    stochastic()
    overflow()
    function_errors()


if __name__ == "__main__":
    main()
