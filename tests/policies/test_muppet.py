"""MuPPET: diversity of epochs, threshold, patience, and the way to float32."""

import numpy as np
import pytest

from fxpsim.errors import UserError
from fxpsim.policies import Moment, Muppet, Sample, Statistics

EPOCH = 2  # steps


def run(policy: Muppet, gradients, epochs: int) -> list[tuple[int, dict]]:
    """Feed ``gradients(epoch)`` at the end of each epoch; return the logs of decisions by epoch."""
    state = policy.init(["a", "b"], {"weight": 8})
    logs = []
    for step in range(epochs * EPOCH):
        if policy.wants(state, Moment.BEGIN, "", "", step):
            state = policy.update(state, Statistics(moment=Moment.BEGIN, step=step, steps_per_epoch=EPOCH))
            if state["log"]:
                logs.append((step // EPOCH, {line[2]: line[3] for line in state["log"]}, state["level"]))
        for layer in ("a", "b"):
            if policy.wants(state, Moment.GRADIENT, layer, "gradient", step):
                g = gradients(step // EPOCH) if step % EPOCH == EPOCH - 1 else np.full(4, 1e6)  # must not count
                seen = {"tensor": Sample(g.astype(np.float32), None), "layer": layer}
                state = policy.update(
                    state, Statistics(moment=Moment.GRADIENT, step=step, steps_per_epoch=EPOCH, **seen)
                )
    return logs


def test_diversity_and_threshold():
    # orthogonal gradients of equal norm: sum of squares = square of the sum
    logs = run(Muppet(), lambda epoch: np.eye(4)[epoch % 3], 7)
    assert [epoch for epoch, _, _ in logs] == [3, 6]
    for epoch, log, _ in logs:
        assert log["diversity"] == pytest.approx(1.0)
        assert log["threshold"] == pytest.approx(1 + 1.5 * np.exp(-0.1 * epoch))
    assert run(Muppet(), lambda epoch: np.ones(4), 4)[0][1]["diversity"] == pytest.approx(1 / 3)


def test_violations_switch_after_the_patience_and_end_in_float32():
    def gradients(epoch: int) -> np.ndarray:
        window = epoch // 3
        return np.eye(4)[epoch % 3] if window % 3 == 0 else np.ones(4)  # diverse once, then aligned twice

    # the ratio is 3: above the threshold from epoch 6 on (1 + 1.5 exp(-0.6) = 1.82)
    policy = Muppet(schedule=(8, 12))
    logs = run(policy, gradients, 40)
    assert next((epoch, level) for epoch, _, level in logs if level == 1) == (9, 1)
    assert logs[-1][2] == 2
    assert logs[-1][0] == 18, "two switches, then nothing is looked at any more"
    assert policy.decide({"level": 1}, "a", "weight").word_bits == 12
    assert policy.decide({"level": 2}, "a", "weight") is None
    fixed = Muppet(schedule=(8, 12), ends_in_float32=False)
    assert run(fixed, gradients, 40)[-1][2] == 1


def test_options_are_checked():
    with pytest.raises(UserError, match="growing word lengths"):
        Muppet(schedule=[16, 8])
