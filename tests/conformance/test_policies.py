"""What holds for every policy: bits in range, pure updates, states that survive a checkpoint, replay, its own cost."""

import copy
import json
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from fxpsim.numerics import RandomBits
from fxpsim.policies import Decision, Moment, Sample, Statistics, from_json, policies, to_json

LAYERS = ("conv1", "fc")
GATED = ("conv1", "gates.choice", "fc")  # of the policy whose word lengths gates choose
STREAMS = ("weight", "activation", "error", "gradient")
STEPS, EPOCH = 130, 10
SETTINGS = [
    *((name, {}) for name in policies),
    ("adept", {"pushdown": "released", "lookback_low": 5, "lookback_high": 9}),
    ("adept", {"pushdown": "hardware", "tolerance": 0.02, "lookback_low": 5, "lookback_high": 9}),
    ("adept", {"lookback_low": 5, "lookback_high": 9, "max_word_bits": 16, "buffer_bits": 3}),
    ("apt", {"mode": 2, "error_measure": "element_wise", "threshold": 0.1}),
    ("muppet", {"resolution": 2, "patience": 1, "beta": 0.0}),
    ("dynasty", {"adapts": ["weight", "activation@weight_grad", "activation", "error"], "target": 3.0}),
    ("dynasty", {"sensitivity": "magnitude", "tile": 2, "sample_every": 3}),
    ("hgq", {"rate": 1000.0, "beta": 1e-5}),
    ("cpt", {"cycles": 3, "range_test": True, "test_steps": 10}),
    ("fractrain_pfq", {"forward": [3, 5], "backward": [6, 7], "window": 2, "threshold": 0.5}),
    ("fractrain_dfq", {"target_step": 0.5, "window": 2, "threshold": 0.5}),
]
IDS = [f"{name}-{'-'.join(str(v) for v in options.values())}".rstrip("-") for name, options in SETTINGS]


@cache
def tensor(*labels, codes: bool = False) -> Sample:
    words = RandomBits(seed=5).derive(*labels).words(240).astype(np.int64) - 2**31
    words = words * np.exp2(-(np.arange(240) % 12)).astype(np.float32)  # magnitudes over some octaves
    if codes:
        return Sample((words.astype(np.int64) >> 17).astype(np.int32).reshape(60, 4), 14)
    return Sample((words * 2.0**-33).astype(np.float32).reshape(60, 4), None)


def events(step: int, codes: bool):
    """What a run tells at one step, in order."""
    common = {"step": step, "steps_per_epoch": EPOCH, "steps": STEPS}
    random = RandomBits(seed=1)
    yield Statistics(moment=Moment.BEGIN, **common)
    for layer in LAYERS:
        for stream in ("weight", "activation", "error"):
            seen = {"layer": layer, "stream": stream, "tensor": tensor(layer, stream, step // 40, codes=codes)}
            yield Statistics(moment=Moment.TENSOR, **seen, **common)
    for layer in LAYERS:
        of_layer = {"layer": layer, "stream": "activation", "slope": tensor(layer, "slope", step, codes=codes)}
        yield Statistics(moment=Moment.SLOPE, tensor=tensor(layer, "activation", codes=codes), **of_layer, **common)
    nonzero = dict.fromkeys(LAYERS, (50, 60))
    answers = {"loss": Fraction(1, step % 7 + 1), "correct": Fraction(step % 50, 50)}
    answers |= {"choices": {"fc": [step % 9, 1, 0, 0, 9 - step % 9]}}
    yield Statistics(moment=Moment.LOSS, nonzero=nonzero, **answers, **common)
    for layer in LAYERS:
        seen = {"tensor": tensor(layer, "g", step, codes=codes), "master": tensor(layer, "m", codes=codes)}
        seen |= {"layer": layer, "stream": "gradient", "random": random.derive(layer, step)}
        yield Statistics(moment=Moment.GRADIENT, **seen, **common)


def advance(policy, state, steps, *, codes=False):
    """Return the last state and the decisions after each step."""
    decisions = []
    for step in steps:
        for seen in events(step, codes):
            if policy.wants(state, seen.moment, seen.layer, seen.stream, step):
                state = policy.update(state, seen)
        decided = [policy.decide(state, layer, stream) for layer in LAYERS for stream in STREAMS]
        decisions.append([d if d is None or d.bits is None else BlockDecision(d) for d in decided])
    return state, decisions


class BlockDecision(Decision):
    """A decision whose bits per block are compared and shown too."""

    def __init__(self, decision):
        super().__init__(word_bits=decision.word_bits, bits=decision.bits)

    def __eq__(self, other):
        return self.bits.tolist() == other.bits.tolist()

    def __hash__(self):
        return hash(repr(self))

    def __repr__(self):
        return f"{self.word_bits} {self.bits.tolist()}"


def fresh(name, options):
    policy = policies[name](**options)
    return policy, policy.init(layers_of(name), dict.fromkeys(STREAMS, 8))


def layers_of(name):
    return GATED if name == "fractrain_dfq" else LAYERS


@pytest.mark.parametrize("codes", [False, True], ids=["floats", "codes"])
@pytest.mark.parametrize(("name", "options"), SETTINGS, ids=IDS)
def test_bits_stay_in_range_and_replay_decides_alike(name, options, codes):
    policy, state = fresh(name, options)
    _, decisions = advance(policy, state, range(STEPS), codes=codes)
    for decision in (d for step in decisions for d in step if d is not None):
        assert 2 <= decision.word_bits <= options.get("max_word_bits", 32)
        assert isinstance(decision.word_bits, int)
        assert decision.frac_bits is None or -120 <= decision.frac_bits <= 120
    policy, state = fresh(name, options)
    assert advance(policy, state, range(STEPS), codes=codes)[1] == decisions
    moved = len({str(step) for step in decisions}) > 1
    waits = name in ("muppet", "fractrain_pfq") and not options  # for violations, a loss that stands still
    # a gate's choices are no decisions of the policy, which gives the longest word
    assert moved is (name not in ("static", "fractrain_dfq") and not waits)


@pytest.mark.parametrize(("name", "options"), SETTINGS, ids=IDS)
def test_the_state_survives_a_checkpoint_anywhere(name, options):
    policy, state = fresh(name, options)
    _, whole = advance(policy, state, range(STEPS))
    for at in (7, 63):
        policy, state = fresh(name, options)
        state, _ = advance(policy, state, range(at))
        state = from_json(json.loads(json.dumps(to_json(state))))
        policy = policies[name](**options)
        assert advance(policy, state, range(at, STEPS))[1] == whole[at:]


@pytest.mark.parametrize(("name", "options"), SETTINGS, ids=IDS)
def test_updates_are_pure(name, options):
    policy, state = fresh(name, options)
    state, _ = advance(policy, state, range(12))
    before, text = copy.deepcopy(to_json(state)), repr(policy)
    advance(policy, state, range(12, 40))
    assert to_json(state) == before
    assert repr(policy) == text


@pytest.mark.parametrize(("name", "options"), SETTINGS, ids=IDS)
def test_its_own_work_is_counted(name, options):
    policy, state = fresh(name, options)
    state, _ = advance(policy, state, range(STEPS))
    if name == "static":
        assert not any(policy.wants(state, moment, "fc", "weight", 0) for moment in Moment)
        return
    assert set(state["work"]) == set(layers_of(name))
    assert all(isinstance(operations, int) and operations > 0 for operations in state["work"].values())
