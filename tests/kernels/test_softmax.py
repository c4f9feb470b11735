"""Softmax cross entropy: the integer kernel against plain Python integers, both against binary64."""

import numpy as np
import pytest

from fxpsim.kernels import softmax


def plain(row: list[int], frac_bits: int, label: int) -> tuple[int, list[int]]:
    """The integer algorithm in plain Python: loss with 16 fractional bits, gradient with 15."""
    table = softmax.exp2_table().tolist()
    top = max(row)
    powers = []
    for x in row:
        t = (top - x) * softmax.LOG2_E_Q14
        t = t >> (frac_bits - 2) if frac_bits >= 2 else t << min(2 - frac_bits, 28)
        whole, place, rest = t >> 16, (t >> 8) & 255, t & 255
        power = table[place] - (((table[place] - table[place + 1]) * rest) >> 8)
        powers.append(power >> whole if whole <= 30 else 0)
    total = sum(powers)
    gradient = [((p << 15) + total // 2) // total for p in powers]
    gradient[label] -= 1 << 15
    behind = top - row[label]
    behind = behind >> (frac_bits - 16) if frac_bits >= 16 else behind << min(16 - frac_bits, 40)
    log2 = int(softmax.log2_q16.py_func(total)) - (30 << 16)
    return ((log2 * softmax.LN_2_Q16) >> 16) + behind, gradient


@pytest.mark.parametrize("frac_bits", [-20, -2, 0, 2, 10, 16, 20])
def test_integer_kernel_equals_plain_python(frac_bits):
    random = np.random.default_rng(frac_bits + 30)
    logits = random.integers(-32767, 32768, (70, 10)).astype(np.int16)
    labels = random.integers(0, 10, 70)
    loss, gradient, correct = softmax.cross_entropy_fixed(logits, frac_bits, labels)
    rows = [plain(row.tolist(), frac_bits, int(label)) for row, label in zip(logits, labels, strict=True)]
    assert loss * 2**16 == sum(r[0] for r in rows)
    np.testing.assert_array_equal(gradient, [r[1] for r in rows])
    assert correct == int((logits.argmax(1) == labels).sum())


def reference(x: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    shifted = x - x.max(1, keepdims=True)
    p = np.exp(shifted) / np.exp(shifted).sum(1, keepdims=True)
    rows = np.arange(len(x))
    loss = -(shifted[rows, labels] - np.log(np.exp(shifted).sum(1))).sum()
    p[rows, labels] -= 1
    return loss, p


def test_both_agree_with_binary64():
    random = np.random.default_rng(1)
    codes = random.integers(-6000, 6000, (200, 12)).astype(np.int16)
    labels = random.integers(0, 12, 200)
    loss, gradient = reference(codes / 1024, labels)
    fixed_loss, fixed_gradient, _ = softmax.cross_entropy_fixed(codes, 10, labels)
    assert abs(float(fixed_loss) - loss) < 200 * 3e-4
    assert np.abs(fixed_gradient / 2**15 - gradient).max() < 1.2 * 2**-15
    float_loss, float_gradient, _ = softmax.cross_entropy_float((codes / 1024).astype(np.float32), labels)
    assert abs(float_loss - loss) < 1e-4
    assert np.abs(float_gradient - gradient).max() < 1e-6


def test_our_exponential_is_within_two_units_in_the_last_place():
    x = -np.linspace(0, 87, 20001).astype(np.float32)
    coefficients = np.array(softmax._EXP_COEFFICIENTS, np.float32)
    got = np.array([softmax.exp_negative(v, coefficients, softmax.powers_of_two()) for v in x], np.float32)
    exact = np.exp(x.astype(np.float64))
    assert (np.abs(got - exact) / np.spacing(exact.astype(np.float32))).max() < 2


def test_our_logarithm():
    for x in (0.1, 0.75, 1.0, 1.4999, 3.0, 1000.0):
        assert softmax.log_positive(x) == pytest.approx(np.log(x), abs=1e-14)
