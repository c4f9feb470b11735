"""Numbers that follow from features by a polynomial, to learn regression on."""

from pathlib import Path

import numpy as np

from fxpsim.data.dataset import Dataset, InputKind, Split, Task
from fxpsim.data.generated.integers import Integers
from fxpsim.data.registry import datasets, positive
from fxpsim.data.scaling import half_log2

_USED = 5
_NOISE = 6554  # uniform within 0.1 of the features' unit, at 16 fractional bits


@datasets.register("polynomial-regression")
def polynomial_regression(
    data_dir: Path | None = None, *, train_size: int = 4000, test_size: int = 1000, features: int = 10, seed: int = 0
) -> Dataset:
    r"""Return uniform features and a polynomial of the first five of them, with a little noise.

    .. math:: y = 2 x_1 x_2 + 4 (x_3 - 1/2)^2 + 2 x_4 + x_5

    After Friedman's first function ("Multivariate adaptive regression splines", 1991, section 4.3), the sine replaced
    by a product and the numbers divided by five: our own variant, which integers can draw. The targets lose their mean
    and are scaled by a power of two to a standard deviation of about 1.

    Examples
    --------
    >>> data = polynomial_regression(train_size=50, test_size=5)
    >>> data.train.inputs.shape, data.train.targets.shape, data.target_frac_bits
    ((50, 10), (50, 1), 16)
    """
    name = "polynomial-regression"
    total = positive("train_size", train_size, name) + positive("test_size", test_size, name)
    random = Integers(seed, 0)
    inputs = random.below(256, (total, max(positive("features", features, name), _USED)))
    x1, x2, x3, x4, x5 = (2 * inputs[:, :_USED] + 1).T  # the middle of each code's interval, at 9 fractional bits
    y = (2 * x1 * x2 + 4 * (x3 - 256) ** 2 + ((2 * x4 + x5) << 9)) >> 2  # 16 fractional bits
    y += random.below(2 * _NOISE + 1, (total,)) - _NOISE
    mean = int(y[:train_size].sum()) // train_size
    targets = (y - mean).astype(np.int32)[:, np.newaxis]
    frac_bits = half_log2(int(np.square(y[:train_size] - mean).sum()), train_size)
    return Dataset.scaled(
        name=name,
        train=Split(inputs=inputs[:train_size].astype(np.uint8), targets=targets[:train_size]),
        test=Split(inputs=inputs[train_size:].astype(np.uint8), targets=targets[train_size:]),
        classes=1,
        kind=InputKind.FEATURES,
        task=Task.REGRESSION,
        target_frac_bits=frac_bits,
        source=f"generated, seed {seed}",
    )
