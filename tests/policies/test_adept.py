"""ADEPT's controller: formulas, behavior with synthetic gradients, strategy and look-back."""

import math
from fractions import Fraction

import numpy as np
import pytest

from fxpsim.errors import UserError
from fxpsim.numerics import RandomBits
from fxpsim.policies import Adept, Marvin, Moment, Sample, Statistics
from fxpsim.policies.push_up import Strategy, adapted_resolution, adapted_strategy, look_back, push_up, suggestion


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.sqrt(np.square(x).sum())).astype(np.float32)


def drive(
    policy,
    *,
    signal: float,
    steps: int,
    strategy: str = "min",
    size: int = 2000,
    seed: int = 0,
    filter_size: int = 1600,
) -> dict:
    """Feed unit gradients ``signal * direction + noise`` to one layer; return the state after every step."""
    random = np.random.default_rng(seed)
    direction = unit(random.standard_normal(size))
    master = Sample((random.standard_normal((1600, 2)) * 0.04).astype(np.float32), None)
    state = policy.init(["fc"], {"weight": 8, "activation": 8, "gradient": 8})
    state["strategy"] = strategy
    history = []
    for step in range(steps):
        noise = unit(random.standard_normal(size))
        gradient = Sample(unit(signal * direction + noise), None)
        seen = Statistics(
            moment=Moment.GRADIENT,
            step=step,
            layer="fc",
            stream="gradient",
            tensor=gradient,
            master=master,
            unit_norm=True,
            random=RandomBits(seed=seed).derive(step),
        )
        state = policy.update(state, seen)
        own = state["layers"]["fc"]
        history.append((own["word_bits"], own["frac_bits"], own["lookback"]))
    return {"history": history, "state": state}


def expected_push_up(diversity: float, word: int, frac: int, strategy: str, buffer: int) -> tuple[int, int]:
    """The formulas of the released code, in floats."""
    added, logarithm = 1, math.log(diversity) - 1
    if logarithm > 0:
        first = max(math.ceil(1 / logarithm**2), 1)
        second = max(min(math.ceil(32 * logarithm**2), 32) - frac, 0)
        merge = {"min": min, "max": max, "mean": lambda a, b: math.ceil(0.5 * (a + b))}
        added = merge[strategy](first, second)
    new_frac = min(frac + added, 32)
    new_word = min(max(word, new_frac) + 1, 32)
    new_frac = min(new_frac, 32 - buffer)
    return max(min(new_frac + buffer, 32), new_word), new_frac


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("buffer", [4, 8])
def test_push_up_follows_its_formulas(strategy, buffer):
    for diversity in (1.0, 2.0, 2.9, 3.5, 4.6, 5.3, 7.7, 40.0):
        for word, frac in ((8, 4), (11, 5), (19, 14), (31, 27)):
            got = push_up(Fraction(math.log(diversity)), word, frac, strategy, buffer_bits=buffer)[:2]
            assert got == expected_push_up(diversity, word, frac, strategy, buffer), (diversity, word, frac)


def test_suggestions_below_e_are_one_bit():
    assert suggestion(Fraction(1), 4, Strategy.MAX) == 1
    assert suggestion(None, 4, Strategy.MAX) == 1


def test_look_back_and_resolution():
    gamma = Fraction("0.33")
    # 100 / 1.6 = 62.5 -> 63; 0.33 * 63 + 0.67 * 40 = 47.59 -> 48
    assert look_back(Fraction(10, 16), 40, low=25, high=100, momentum=gamma) == 48
    assert look_back(Fraction(1, 100), 25, low=25, high=100, momentum=Fraction(1)) == 25
    assert look_back(None, 30, low=25, high=100, momentum=Fraction(1)) == 100
    limits = {"limits": (50, 52), "window_limits": (25, 100)}
    assert [adapted_resolution(r, 100, **limits) for r in (50, 51, 52)] == [51, 52, 52]
    assert [adapted_resolution(r, 25, **limits) for r in (50, 51, 52)] == [50, 50, 51]
    assert adapted_resolution(51, 60, **limits) == 51


def test_the_strategy_rises_one_level_a_step_and_falls_to_min():
    rising = [3, 3, 3]  # 9 / 2 = 4.5
    assert adapted_strategy(Strategy.MIN, rising, 5, 2) is Strategy.MEAN
    assert adapted_strategy(Strategy.MEAN, rising, 5, 2) is Strategy.MAX
    assert adapted_strategy(Strategy.MAX, rising, 5, 2) is Strategy.MAX
    assert adapted_strategy(Strategy.MAX, rising, 4, 2) is Strategy.MIN
    assert adapted_strategy(Strategy.MEAN, [3, 3], 9, 2) is Strategy.MEAN  # the history is too short yet


# word and fraction lengths after the first windows: the table of a literal simulation of the released code
BEHAVIOR = [
    (0.0, 4, "min", (18, 20), (14, 16)),
    (0.0, 4, "mean", (22, 31), (17, 27)),
    (0.0, 4, "max", (29, 32), (23, 28)),
    (0.0, 8, "min", (22, 24), (14, 16)),
    (0.0, 8, "max", (29, 32), (20, 24)),
    (0.12, 4, "min", (12, 14), (7, 10)),
    (0.12, 4, "mean", (25, 32), (20, 28)),
    (0.37, 4, "min", (10, 10), (6, 6)),
    (0.37, 4, "max", (10, 10), (6, 6)),
    (0.37, 8, "mean", (14, 14), (6, 6)),
    (5.0, 4, "min", (10, 10), (6, 6)),
]


@pytest.mark.parametrize(("signal", "buffer", "strategy", "word", "frac"), BEHAVIOR)
def test_behavior_with_noise_and_signal(signal, buffer, strategy, word, frac):
    policy = Adept(pushdown="released", buffer_bits=buffer)
    history = drive(policy, signal=signal, steps=700, strategy=strategy)["history"][-250:]
    assert {w for w, _, _ in history} <= set(range(word[0], word[1] + 1))
    assert {f for _, f, _ in history} <= set(range(frac[0], frac[1] + 1))
    if signal == 0.0:
        assert min(lookback for _, _, lookback in history) == 28
    if signal == 5.0:
        assert {lookback for _, _, lookback in history} == {100}


def test_loss_moves_the_strategy_and_the_penalty_belongs_to_adept_alone():
    for policy, penalized in ((Adept(), True), (Marvin(), False)):
        state = policy.init(["a", "b"], {"weight": 8})
        for step in range(27):
            seen = Statistics(moment=Moment.LOSS, step=step, loss=Fraction(1), nonzero={"a": (1, 2), "b": (4, 4)})
            before = state
            state = policy.update(state, seen)
            assert len(before["losses"]) == min(step, 26), "the old state stays"
        # 8 / 32 * (1/2 + 1) / 2
        assert state["losses"][-1] == (1 + Fraction(3, 16) * penalized) * 2**32
        state = policy.update(state, Statistics(moment=Moment.LOSS, step=27, loss=Fraction(3)))
        assert state["strategy"] == "mean"
        assert state["log"][0][2] == "strategy: min to mean"
        state = policy.update(state, Statistics(moment=Moment.LOSS, step=28, loss=Fraction(-1, 2)))
        assert state["strategy"] == "min"


def test_hardware_takes_integers_and_agrees_with_floats_of_the_same_values():
    random = np.random.default_rng(1)
    policy = Adept(pushdown="hardware", tolerance=0.02, lookback_low=2, lookback_high=4)
    codes = random.integers(-(2**14), 2**14, (60, 50))
    weights = random.integers(-(2**13), 2**13, (40, 5))
    states = []
    for kind in ("codes", "floats"):
        state = policy.init(["fc"], {"weight": 8})
        for step in range(5):
            g, w = np.roll(codes, step, axis=0), weights
            if kind == "codes":
                gradient, master = Sample(g.astype(np.int32), 18), Sample(w.astype(np.int32), 14)
            else:
                gradient = Sample((g / 2.0**18).astype(np.float32), None)
                master = Sample((w / 2.0**14).astype(np.float32), None)
            seen = {"tensor": gradient, "master": master, "layer": "fc", "stream": "gradient"}
            state = policy.update(state, Statistics(moment=Moment.GRADIENT, step=step, **seen))
        states.append(state)
    a, b = (state["layers"]["fc"] for state in states)
    assert (a["window"] is None) == (b["window"] is None)
    assert a["word_bits"] != 8
    assert {k: v for k, v in a.items() if k != "window"} == {k: v for k, v in b.items() if k != "window"}


def test_options_are_checked():
    with pytest.raises(UserError, match="unknown pushdown 'reelased'"):
        Adept(pushdown="reelased")
    with pytest.raises(UserError, match="lookback_low is 200"):
        Adept(lookback_low=200)
