"""StatQuant's quantizers: the published rules, their edges, and the variances that they are for."""

from fractions import Fraction
from itertools import islice

import numpy as np
import pytest

from fxpsim.numerics import RandomBits
from fxpsim.quantizers import PowerOfTwoHadamard, PowerOfTwoRows, StatQuantBHQ, StatQuantPSQ, StatQuantPTQ
from fxpsim.quantizers.householder import block_householder, cube_root, reflection
from fxpsim.quantizers.row_groups import row_groups

ROWS, COLUMNS = 128, 512


def gradients(kind, seed=3):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((ROWS, COLUMNS))
    scale = np.ones(ROWS)
    match kind:
        case "one_row":
            scale[17] = 1000
        case "eight_rows":
            scale[40:48] = 100
        case "lognormal":
            scale = np.exp(2 * rng.standard_normal(ROWS))
    return (x * scale[:, None]).astype(np.float32)


def variance(quantizer, x, bits, draws=4):
    errors = (quantizer.encode(x, bits=bits, random=RandomBits(seed=i)).value - x for i in range(draws))
    return sum(float((error**2).sum()) for error in errors) / draws


# ratios of 128 x 512 normal rows at 8 bits: number of groups, PTQ without alignment / PSQ, PSQ / BHQ
TABLE = [
    ("uniform", range(59, 64), (1.8, 2.7), 1.0),
    ("one_row", range(1, 2), (80, 240), 95),
    ("eight_rows", range(8, 9), (16, 30), 11.9),
    ("lognormal", range(28, 31), (12, 96), 4.4),
]
every_row_of_the_table = pytest.mark.parametrize(("kind", "groups", "ptq_psq", "psq_bhq"), TABLE)


def group_sizes(x):
    return [len(group) for group in row_groups((x.max(axis=1) - x.min(axis=1)).astype(np.float64))]


def some_gradients(kind, groups, count):
    """Return tensors with so many groups: the gain on lognormal rows goes from 4 (30 groups) to 50 (10 groups)."""
    draws = (gradients(kind, seed) for seed in range(200))
    return list(islice((x for x in draws if len(group_sizes(x)) in groups), count))


@every_row_of_the_table
def test_variance_table(kind, groups, ptq_psq, psq_bhq):
    """Geometric means over tensors: where PTQ's grid happens to meet zero moves its variance from 0 to 1.5 times."""
    quantizers = StatQuantPTQ(zero_aligned=False), StatQuantPSQ(), StatQuantBHQ()
    table = np.array([[variance(q, x, 8, 2) for q in quantizers] for x in some_gradients(kind, groups, 6)])
    assert table.shape == (6, 3)
    assert ptq_psq[0] < np.exp(np.log(table[:, 0] / table[:, 1]).mean()) < ptq_psq[1]
    assert np.exp(np.log(table[:, 1] / table[:, 2]).mean()) == pytest.approx(psq_bhq, rel=0.2)


@pytest.mark.parametrize("bits", [4, 5, 6])
@every_row_of_the_table
def test_gain_of_householder_does_not_depend_on_the_bits(kind, groups, ptq_psq, psq_bhq, bits):
    ratios = [
        variance(StatQuantPSQ(), x, bits, 2) / variance(StatQuantBHQ(), x, bits, 2)
        for x in some_gradients(kind, groups, 3)
    ]
    assert np.exp(np.log(ratios).mean()) == pytest.approx(psq_bhq, rel=0.3)


@pytest.mark.parametrize("quantizer", [StatQuantPSQ(), StatQuantBHQ(), StatQuantPTQ(zero_aligned=False)])
def test_variance_grows_fourfold_per_bit_removed(quantizer):
    x = gradients("uniform")
    for bits in (8, 7, 6):
        ratio = variance(quantizer, x, bits - 1) / variance(quantizer, x, bits)
        assert 3.6 < ratio < 4.5


@pytest.mark.parametrize("quantizer", [StatQuantPSQ(), StatQuantBHQ()])
def test_variance_is_a_sixth_of_the_squared_step_and_below_a_quarter(quantizer):
    x = gradients("lognormal")
    encoded = quantizer.encode(x, bits=8, random=RandomBits())
    if encoded.transform is None:
        per_entry = encoded.error_bound() ** 2
        assert variance(quantizer, x, 8) == pytest.approx(per_entry.sum() / 6, rel=0.05)
    else:
        # |T^-1| squared, group by group, on the squared steps of the transformed rows
        steps = encoded.reading.bound(encoded.codes, 1.0) ** 2
        total = 0.0
        for group, ratio in zip(encoded.transform.groups, encoded.transform.ratios, strict=True):
            inverse = reflection(len(group)) if len(group) > 1 else np.eye(1)
            inverse[1:] /= ratio
            total += float((inverse**2 @ steps[group]).sum())
        assert variance(quantizer, x, 8) == pytest.approx(total / 6, rel=0.05)


def test_power_of_two_rows_cost_at_most_fourfold():
    x = gradients("lognormal")
    ratio = variance(PowerOfTwoRows(), x, 8) / variance(StatQuantPSQ(), x, 8)
    assert 1 < ratio < 6  # 4, and what asymmetric rows and the symmetric codes add


@pytest.mark.parametrize(("kind", "least"), [("one_row", 20), ("eight_rows", 4), ("lognormal", 1.3)])
def test_hadamard_gains_where_few_rows_are_large(kind, least):
    x = gradients(kind)
    assert variance(PowerOfTwoRows(), x, 8) > least * variance(PowerOfTwoHadamard(), x, 8)


def test_aligned_step_grows_by_the_published_share():
    x = np.array([-0.3, 1.0], np.float32)
    encoded = StatQuantPTQ(rounding="half_even").encode(x, bits=4)
    scale = encoded.reading.scale
    zero = int(scale.zero_point)
    low, high = float(x[0]), float(x[1])
    assert zero == int(-low * 15 / (high - low)) == 3
    assert float(scale.step) == pytest.approx(-low / zero)
    assert encoded.value[0] == pytest.approx(low, rel=1e-12)


@pytest.mark.parametrize(("bits", "ratio"), [(8, 254.5), (4, 14.5)])
def test_interval_starts_at_zero_where_the_published_code_divides_by_zero(bits, ratio):
    x = np.array([-1.0, ratio, 3.0, 0.0], np.float32)
    encoded = StatQuantPTQ().encode(x, bits=bits, random=RandomBits())
    assert int(encoded.reading.scale.zero_point) == 0
    assert encoded.codes[0] == encoded.codes[3] == 0
    assert encoded.codes[1] == encoded.format.max_code
    below = StatQuantPTQ().encode(np.array([-1.0, ratio - 1.5], np.float32), bits=bits, random=RandomBits())
    assert int(below.reading.scale.zero_point) == 1


def test_epsilon_turns_a_constant_row_into_noise_as_published():
    x = np.zeros((1, 2000), np.float32)
    encoded = StatQuantPSQ(epsilon=1e-8).encode(x, bits=8, random=RandomBits())
    assert set(encoded.codes.ravel().tolist()) == {127, 128}
    assert np.abs(encoded.value).max() == pytest.approx(1e-8 / 255)
    assert not StatQuantPSQ().encode(x, bits=8, random=RandomBits()).codes.any()


def test_zero_row_stays_zero_per_sample():
    x = gradients("uniform")
    x[5] = 0
    assert not StatQuantPSQ().encode(x, bits=4, random=RandomBits()).value[5].any()


@pytest.mark.parametrize("rows", [1, 2])
def test_one_and_two_rows_fall_back_to_per_sample(rows):
    x = gradients("one_row")[16 : 16 + rows]
    bhq, psq = (q.encode(x, bits=6, random=RandomBits()) for q in (StatQuantBHQ(), StatQuantPSQ()))
    assert bhq.transform is None
    assert np.array_equal(bhq.codes, psq.codes)


def test_three_rows_are_one_group():
    encoded = StatQuantBHQ().encode(gradients("uniform")[:3], bits=8, random=RandomBits())
    assert [len(group) for group in encoded.transform.groups] == [3]


def groups_by_definition(sizes):
    """Return the groups in exact fractions, straight from the rule."""
    count = len(sizes)
    order = sorted(range(count), key=lambda row: (-sizes[row], row))
    v = [Fraction(sizes[row]) for row in order]
    k = next(k for k in range(1, count) if k * v[count - k - 1] > sum(v[: count - k]))
    large = count - k
    total = sum(v[:large])
    ends = [int(Fraction(1, 2) + k * sum(v[: i + 1]) / total) for i in range(large)]
    return [
        [order[i], *order[large + start : large + end]]
        for i, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True))
    ]


@pytest.mark.parametrize("spread", [0, 1, 3, 8])
def test_groups_follow_the_rule(spread):
    rng = np.random.default_rng(spread)
    for count in (3, 4, 5, 17, 60):
        sizes = np.exp(spread * rng.standard_normal(count))
        groups = row_groups(sizes)
        assert [group.tolist() for group in groups] == groups_by_definition(sizes.tolist())
        assert min(map(len, groups)) >= 2
        assert sorted(np.concatenate(groups).tolist()) == list(range(count))


def test_groups_of_the_variance_table():
    assert set(group_sizes(gradients("uniform"))) == {2, 3}
    assert group_sizes(gradients("one_row")) == [128]
    assert min(group_sizes(gradients("eight_rows"))) >= 12
    assert max(group_sizes(gradients("eight_rows"))) <= 20


def test_equal_rows_stop_just_past_the_middle():
    groups = row_groups(np.ones(128))
    assert len(groups) == 63
    assert groups[0].tolist()[:1] == [0]  # ties by index


def test_zero_rows_among_large_ones():
    sizes = np.array([0.0, 4.0, 0.0, 0.0, 0.0])
    assert [group.tolist() for group in row_groups(sizes)] == [[1, 0, 2, 3, 4]]
    x = np.zeros((5, 3), np.float32)
    x[1] = [-2, 2, 1]
    encoded = StatQuantBHQ().encode(x, bits=8, random=RandomBits())
    assert np.isfinite(encoded.value).all()
    assert (np.abs(encoded.value - x) <= encoded.error_bound() + 1e-12).all()


@pytest.mark.parametrize("n", [2, 3, 4, 8, 64])
def test_reflection_is_the_published_matrix(n):
    h = reflection(n)
    root = np.sqrt(n)
    expected = np.full((n, n), -1 / (n - root))
    expected[np.diag_indices(n)] += 1
    expected[0] = expected[:, 0] = 1 / root
    assert np.allclose(h, expected)
    assert np.allclose(h @ h, np.eye(n))


def test_transform_is_the_matrix_and_its_inverse_undoes_it():
    x = gradients("lognormal").astype(np.float64)
    sizes = x.max(axis=1) - x.min(axis=1)
    transform = block_householder(sizes)
    y = transform.apply(x)
    for group, ratio in zip(transform.groups, transform.ratios, strict=True):
        scaled = x[group]
        scaled[1:] *= ratio
        assert np.allclose(y[group], reflection(len(group)) @ scaled)
    assert np.allclose(transform.inverse(y), x, rtol=1e-10, atol=1e-12 * np.abs(x).max())


def test_scales_balance_the_ranges():
    """The ratio is where (s1^-2 + (n-1) s2^-2) (w1 s1 + w2 s2)^2 is least."""
    sizes = np.array([50.0, 3.0, 2.0, 1.0, 1.0])
    transform = block_householder(sizes)
    assert [len(g) for g in transform.groups] == [5]
    n, root = 5, np.sqrt(5)
    w1, w2 = 50 / root, 3 * max(1 / root, 1 - 1 / (n - root))

    def cost(ratio):
        return (1 + (n - 1) / ratio**2) * (w1 + w2 * ratio) ** 2

    best = transform.ratios[0]
    assert cost(best) < min(cost(best * 1.01), cost(best / 1.01))


def test_cube_root_is_right_everywhere():
    for x in (1e-300, 1e-9, 0.3, 1.0, 2.0, 5.0, 8.0, 1e17, 1e300):
        assert cube_root(x) ** 3 == pytest.approx(x, rel=1e-14)
