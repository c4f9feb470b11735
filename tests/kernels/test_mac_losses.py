"""Counts of flushed and inexact products against the specification, product by product."""

from fractions import Fraction
from math import prod

import numpy as np
import pytest
from mac_oracle import products_of

from fxpsim.kernels import mac
from fxpsim.kernels.mac import MacSpec, losses
from fxpsim.kernels.mac.bounds import Bounds
from fxpsim.kernels.mac.census import Key, along_rows, down_columns
from fxpsim.kernels.mac.task import Task, forward_task, input_grad_task, matmul_task, weight_grad_task
from fxpsim.numerics import Rounding, oracle

MODES = [mode for mode in Rounding if not mode.is_stochastic]
STRIDE, PADDING, DILATION, GROUPS = (2, 1), ((1, 2), (0, 1)), (1, 2), 2


def tasks() -> dict[str, tuple[Task, np.ndarray, np.ndarray]]:
    """Every operation on codes of four bits, with what the specification needs."""
    rng = np.random.default_rng(0)

    def codes(*shape: int) -> np.ndarray:
        return rng.integers(-8, 8, shape).astype(np.int8)

    window = {"stride": STRIDE, "padding": PADDING, "dilation": DILATION, "groups": GROUPS}
    a, b, x, w = codes(9, 13), codes(13, 11), codes(2, 7, 6, 4), codes(3, 2, 2, 6)
    forward = forward_task(x, w, **window)
    e = codes(*forward.shape)
    return {
        "matmul": (matmul_task(a, b, False, False), a, b),
        "transposed": (matmul_task(np.ascontiguousarray(a.T), b, True, False), a, b),
        "forward": (forward, x, w),
        "input_grad": (input_grad_task(e, w, x.shape, **window), e, w),
        "weight_grad": (weight_grad_task(x, e, w.shape, **window), x, e),
    }


@pytest.mark.parametrize("kind", ["matmul", "transposed", "forward", "input_grad", "weight_grad"])
def test_every_operation_rounding_and_shift(kind):
    task, a, b = tasks()[kind]
    name = "matmul" if kind == "transposed" else kind
    operands = a.astype(object), b.astype(object)
    window = (STRIDE, PADDING, DILATION, GROUPS)
    found = [p for index in np.ndindex(*task.shape) for _, p in products_of(name, *operands, index, window)]
    values, times = np.unique(np.array(found, int), return_counts=True)
    assert losses.products(task) == len(found)
    bounds = Bounds(a=8, b=8, k=task.k, nonnegative=False)
    for shift in (-1, 0, 1, 2, 3, 5, 7):
        for mode in MODES:
            spec = MacSpec(product_shift=shift, rounding=mode)
            if not spec.rounds:
                continue
            exact = [Fraction(int(value)) / Fraction(2) ** shift for value in values]
            rounded = [oracle.round_fraction(value, mode, 0) for value in exact]
            flushed = sum(n for n, p, r in zip(times, exact, rounded, strict=True) if p and not r)
            inexact = sum(n for n, p, r in zip(times, exact, rounded, strict=True) if p != r)
            assert losses.losses(task, spec, bounds) == losses.Losses(flushed=flushed, inexact=inexact), (shift, mode)


@pytest.mark.parametrize("kind", ["matmul", "transposed", "forward", "input_grad", "weight_grad"])
@pytest.mark.parametrize("limits", [(1, 1), (5, 5), (0, 9), (4, 3), (64, 63)])
def test_two_ways_to_count_small_products(kind, limits):
    task = tasks()[kind][0]
    bounds = Bounds(a=8, b=8, k=task.k, nonnegative=False)
    signs = (Key.POSITIVE, Key.NEGATIVE)
    by_groups = sum(losses._within(task, limits[a is b], bounds, a, b) for a in signs for b in signs)
    assert by_groups == losses._one_by_one(task, *limits, bounds)
    if limits[0] == limits[1]:
        assert by_groups == losses._within(task, limits[0], bounds, Key.MAGNITUDE, Key.MAGNITUDE)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.int64])
def test_the_census_of_extreme_codes(dtype):
    info = np.iinfo(dtype)
    extremes = np.array([info.min, info.min + 1, -1 if info.min else 0, 0, 1, info.max], dtype)
    if dtype is np.int64:
        extremes >>= 1
    codes = np.resize(extremes, (70_000, 3))
    for key, of in (
        (Key.LOWEST_BIT, lambda x: x & -x),
        (Key.MAGNITUDE, abs),
        (Key.POSITIVE, lambda x: max(x, 0)),
        (Key.NEGATIVE, lambda x: max(-x, 0)),
    ):
        thresholds = tuple(sorted({1, 2, *(max(1, of(int(x))) for x in extremes)}))
        keys = np.vectorize(lambda x, of=of: of(int(x)), otypes=[object])(codes[:6])
        wanted = [[sum(keys[row % 6, j] >= t for row in range(70_000 % 6)) for j in range(3)] for t in thresholds]
        full = [[int((keys[:, j] >= t).sum()) * (70_000 // 6) for j in range(3)] for t in thresholds]
        assert (down_columns(codes, key, thresholds) == np.array(wanted) + np.array(full)).all()
        assert (along_rows(codes[:6], key, thresholds) == [(keys >= t).sum(axis=1) for t in thresholds]).all()


def test_results_carry_the_counts():
    a = np.array([[3, 5, -1, 0]], np.int8)
    spec = MacSpec(product_shift=3, rounding="half_even")
    result = mac.matmul(a, a, spec, a_bound=128, b_bound=128, transpose_b=True)
    # 9 / 8 -> 1, 25 / 8 -> 3, 1 / 8 -> 0, 0
    assert (result.codes.item(), result.products, result.flushed, result.inexact) == (4, 4, 1, 3)
    whole = mac.matmul(a, a, MacSpec(), a_bound=128, b_bound=128, transpose_b=True)
    assert (whole.products, whole.flushed, whole.inexact) == (4, 0, 0)


@pytest.mark.parametrize("rounding", ["stochastic", "stochastic_equal"])
def test_stochastic_roundings_flush_by_chance(rounding):
    """Words of products with 1/8 ... 7/8: each of 2000 is rounded to 0 or 1; sums of one product show which."""
    a, b = np.ones((2000, 1), np.int8), np.array([[0, 1, 4, 7, 8]], np.int8)
    spec = MacSpec(product_shift=3, rounding=rounding, key0=1, key1=2)
    result = mac.matmul(a, b, spec, a_bound=1, b_bound=8)
    assert result.flushed == (result.codes[:, 1:4] == 0).sum() > 0
    assert (result.inexact, result.products) == (3 * 2000, 5 * 2000)


def test_no_products_at_all():
    empty = np.empty((3, 0), np.int8)
    result = mac.matmul(empty, empty.T, MacSpec(product_shift=3), a_bound=8, b_bound=8)
    assert (result.products, result.flushed, result.inexact) == (0, 0, 0)
    assert prod(result.codes.shape) == 9
