"""What a method does to gradients: L1 decay of what the forward pass read, and the norm."""

from fractions import Fraction

import numpy as np
import pytest

from fxpsim.autodiff import Engine
from fxpsim.data import load
from fxpsim.train import Session, load_recipe
from fxpsim.train import session as session_module

COARSE = ["method.policy.start_frac_bits=2", "method.streams.weight.word_bits=8"]


@pytest.mark.parametrize("accelerator", ["int16_systolic_32x32_acc64", "int8_all_integer"])
def test_l1_decay_is_that_of_what_the_forward_pass_reads(monkeypatch, accelerator):
    method = "adept-hardware" if accelerator == "int8_all_integer" else "adept"
    recipe = load_recipe("lenet5-digits-adept", overrides=[f"method={method}", f"accelerator={accelerator}", *COARSE])
    data = load("digits")
    session = Session(recipe, data, steps=10)
    read, decayed = {}, []
    quantize, with_l1 = Engine.quantize, session_module.with_l1

    def quantizing(engine, value, stream):
        operand = quantize(engine, value, stream)
        if stream == "weight":
            read[engine.layer] = operand.codes.copy(), operand.format.frac_bits
        return operand

    def decaying(vector, gradient, weights, decay):
        decayed.append(weights)
        found = with_l1(vector, gradient, weights, decay)
        after, before = (np.ldexp(vector.array(v).astype(np.float64), -(v.frac_bits or 0)) for v in (found, gradient))
        rounded = np.ldexp(0.5, -found.frac_bits) if found.frac_bits is not None else 0
        still = np.abs(after - before)[weights.array == 0]
        assert (still <= rounded).all(), "no decay where a weight was read as zero"
        return found

    monkeypatch.setattr(Engine, "quantize", quantizing)
    monkeypatch.setattr(session_module, "with_l1", decaying)
    penalties = []
    monkeypatch.setattr(
        session, "_l1_penalty", lambda own=session._l1_penalty: penalties.append(own()) or penalties[-1]
    )
    session.step(0, data.train.inputs[:64], data.train.targets[:64])
    assert len(decayed) == len(session.parameters)
    norm = Fraction(0)
    for parameter, weights in zip(session.parameters, decayed, strict=True):
        if parameter.role == "weight":
            codes, frac_bits = read[parameter.layer]
            assert np.array_equal(weights.array, codes)
            assert weights.frac_bits == frac_bits
            assert 0.2 < (codes == 0).mean() < 1
        codes, frac_bits = weights.integers()
        norm += Fraction(int(np.abs(codes).sum()), 1) / Fraction(2) ** frac_bits
    assert penalties == [norm * Fraction(str(session.training.l1_decay))]
    assert session.engine.quantized_weights is None, "nothing is kept behind the step"
