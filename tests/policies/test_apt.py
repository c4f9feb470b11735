"""APT: step, error measure, interval rule, growth, modes, warm-up and frozen steps."""

import math

import numpy as np
import pytest

from fxpsim.errors import UserError
from fxpsim.policies import Apt, Moment, Sample, Statistics
from fxpsim.policies.apt_rules import ErrorMeasure, interval, measured_error, step_exponent

MEAN, ELEMENTS = ErrorMeasure


def told(tensor: np.ndarray, step: int, *, epoch: int = 1000, stream: str = "error") -> Statistics:
    sample = Sample(tensor.astype(np.float32), None)
    return Statistics(moment=Moment.TENSOR, step=step, steps_per_epoch=epoch, layer="fc", stream=stream, tensor=sample)


def started(policy: Apt) -> dict:
    return policy.init(["fc"], {"weight": 8, "activation": 8, "error": 8})


@pytest.mark.parametrize("bits", [8, 16, 24])
def test_step_and_error_follow_their_formulas(bits):
    random = np.random.default_rng(bits)
    for scale in (1e-5, 0.3, 700.0):
        x = (random.standard_normal(3000) * scale).astype(np.float32)
        codes, frac = Sample(x, None).integers()
        exponent = step_exponent(int(np.abs(codes).max()), frac, bits)
        values = x.astype(np.float64)
        assert exponent == math.ceil(math.log2(np.abs(values).max() / (2 ** (bits - 1) - 1)))
        rounded = np.rint(values / 2.0**exponent) * 2.0**exponent
        magnitude = np.abs(values).mean()
        mean = math.log2(abs((magnitude - np.abs(rounded).mean()) / magnitude) + 1)
        element = math.log2(np.abs(rounded - values).sum() / np.abs(values).sum() + 1)
        assert measured_error(codes, frac, exponent, MEAN) == pytest.approx(mean, abs=1e-7)
        assert measured_error(codes, frac, exponent, ELEMENTS) == pytest.approx(element, rel=1e-2, abs=1e-7)


def test_zeros():
    codes, frac = Sample(np.zeros(5, np.float32), None).integers()
    assert step_exponent(int(codes.max()), frac, 8) == -12
    assert measured_error(codes, frac, -12, MEAN) == 0


@pytest.mark.parametrize(
    ("drift", "error", "steps"),
    [(0.1, 0.0, 23), (1.0, 0.0, 1), (0.0, 0.01, 8), (0.0, 0.03, 1), (0.01, 0.005, 38), (0.0, 0.0, 500)],
)
def test_interval(drift, error, steps):
    worst = max(0.04 * drift, 100 * error**2)
    expected = min(max(round(0.1 / worst - 2), 1), 500) if worst else 500
    got = interval(drift=drift, error=error, alpha=0.04, beta=0.1, gamma=2, delta=100, longest=500)
    assert got == expected == steps


def heavy(tail: float, count: int = 1000) -> np.ndarray:
    """Many small values and one large: 8 bits flush the small ones to zero."""
    return np.concatenate([np.full(count, tail), [1.0]])


def test_words_grow_while_the_error_is_too_large():
    policy = Apt()
    for tensor, bits in ((heavy(0.3), 8), (heavy(0.002), 16), (heavy(2.0**-18, 100_000), 24)):
        state = policy.update(started(policy), told(tensor, 0))
        decision = policy.decide(state, "fc", "error")
        assert decision is not None
        assert decision.word_bits == bits
        assert decision.frac_bits == bits - 2  # 1.0 needs the step after the finest: 2**-(n-1) would clip it
        assert policy.decide(state, "fc", "weight").word_bits == 8
    narrow = Apt(adaptive=["weight"])
    state = narrow.update(started(narrow), told(heavy(0.002), 0))
    assert narrow.decide(state, "fc", "error").word_bits == 8


def test_mode_1_keeps_and_mode_2_returns():
    for mode, bits in ((1, 16), (2, 8)):
        policy = Apt(mode=mode)
        state = policy.update(started(policy), told(heavy(0.002), 0))
        assert policy.decide(state, "fc", "error").word_bits == 16
        state = policy.update(state, told(heavy(0.3), 1))
        assert policy.decide(state, "fc", "error").word_bits == bits


def test_warm_up_frozen_steps_and_one_update_an_epoch():
    policy, state = Apt(), None
    state = started(policy)
    updates = []
    random = np.random.default_rng(0)
    for step in range(3000):
        if policy.wants(state, Moment.TENSOR, "fc", "error", step):
            updates.append(step)
            state = policy.update(state, told(random.standard_normal(200), step))
    assert updates[:10] == list(range(10)), "1 % of an epoch of 1000 steps"
    later = [step for step in updates if step >= 1000]
    assert len(later) <= 2
    assert np.diff(later).tolist() in ([], [1000])
    assert 10 < len([step for step in updates if step < 1000]) < 1000
    throughout = Apt(formula_throughout=True)
    state = throughout.update(state, told(64 * random.standard_normal(200), 3000))
    assert state["streams"]["fc"]["error"]["next"] - 3000 < 1000


def test_the_moving_average_makes_up_for_frozen_steps():
    policy = Apt()
    state = policy.update(started(policy), told(heavy(0.3), 0))
    mean, exponent = 0.04 * -6.0, -6
    assert state["streams"]["fc"]["error"]["mean"] == pytest.approx(mean)
    for _ in range(1, 50):
        mean = 0.04 * exponent + 0.96 * mean
    state = policy.update(state, told(4 * heavy(0.3), 50))
    assert state["streams"]["fc"]["error"]["mean"] == pytest.approx(0.04 * -4 + 0.96 * mean)


def test_streams_without_a_controller_keep_their_word():
    policy = Apt(streams=["error"])
    state = started(policy)
    assert not policy.wants(state, Moment.TENSOR, "fc", "weight", 0)
    assert policy.decide(state, "fc", "weight").frac_bits is None


def test_options_are_checked():
    with pytest.raises(UserError, match="mode is 3"):
        Apt(mode=3)
    with pytest.raises(UserError, match="did you mean 'error'"):
        Apt(adaptive=["eror"])


def cast_often(policy: Apt, tensors: list[np.ndarray], *, stream: str = "error") -> dict:
    """Return the state after a step that casts so many tensors of one stream."""
    state = started(policy)
    for tensor in tensors:
        assert policy.wants(state, Moment.TENSOR, "fc", stream, 0)
        state = policy.update(state, told(tensor, 0, stream=stream))
    return state


def test_a_stream_that_is_cast_often_has_room_for_all_of_its_tensors():
    policy = Apt()
    large, zero = np.array([0.7, -0.9]), np.zeros(3)
    alone = policy.decide(cast_often(policy, [large]), "fc", "error")
    for tensors in ([zero, large], [large / 16, large], [large, large / 16], [zero, large / 16, large, zero]):
        assert policy.decide(cast_often(policy, tensors), "fc", "error") == alone
    tiny = policy.decide(cast_often(policy, [zero, np.full(4, 2.0**-30)]), "fc", "error")
    assert tiny is not None
    assert tiny.frac_bits > 12, "a tensor of zeros says nothing about the range"
    # what a shared step would flush to zero needs a longer word
    assert policy.decide(cast_often(policy, [large, large / 512]), "fc", "error").word_bits == 16


def test_the_longest_word_stays_and_the_average_moves_once_a_step():
    policy = Apt()
    state = cast_often(policy, [heavy(0.3), heavy(0.002), heavy(0.3)])
    own = state["streams"]["fc"]["error"]
    assert (own["word_bits"], own["exponent"]) == (16, -14)
    assert own["mean"] == pytest.approx(policy.alpha * -14 + (1 - policy.alpha) * (0 - 8))
    once = policy.update(started(policy), told(heavy(0.002), 0))["streams"]["fc"]["error"]
    assert own["mean"] == pytest.approx(once["mean"])
    logged = cast_often(policy, [heavy(0.3)] * 3)["log"]
    assert not logged, "what changes nothing is not told again"
