"""Words that share an exponent: exact values, unbiased rounding, and a run that resumes to the same bits."""

from fractions import Fraction

import numpy as np
import pytest

from fxpsim.errors import UserError
from fxpsim.numerics import FixedFormat, Rounding
from fxpsim.optim import Adam, Sgd
from fxpsim.train import RunDirectory, Trainer, load_recipe, make_progress, resume
from fxpsim.units.graph import leaf
from fxpsim.units.shared_exponent import SharedExponentUpdate
from fxpsim.units.values import Value

ONE = Fraction(1)


def unit(rounding: Rounding = Rounding.STOCHASTIC) -> SharedExponentUpdate:
    return SharedExponentUpdate(8, 12, rounding)


def test_initial_values_keep_the_leading_bits():
    master = unit().create(np.array([1.0, -0.3, 3.0e-2]))
    # 1.0 is 4096 = 2**12: thirteen bits, seven of which a word has room for
    assert master.weights.tolist() == [64 << 6, round(-0.3 * 64) << 6, round(0.03 * 64) << 6]
    assert master.format_of("master") == FixedFormat(word_bits=8, frac_bits=6)
    small = unit().create(np.array([0.02, -0.001]))
    assert small.weights.tolist() == [82, -4], "nothing is dropped where all bits fit"
    assert small.format_of("master") == FixedFormat(word_bits=8, frac_bits=12)


def test_the_format_follows_the_tensor():
    one = unit(Rounding.HALF_EVEN)
    master = one.create(np.array([0.01, 0.02]))
    grad = Value(leaf(np.array([-4096, 0], np.int32)), 12, 4096)
    Sgd(learning_rate=1.0, momentum=0.5).step(one, master, grad, ONE, (1, 2), decay=True)
    assert master.format_of("master") == FixedFormat(word_bits=8, frac_bits=6)
    np.testing.assert_array_equal(master.weights % 64, 0)
    np.testing.assert_allclose(master.read(), [1.0, 1 / 64], atol=1 / 64)
    assert master.format_of("momentum").word_bits == 8


def test_rounding_is_unbiased():
    one = unit()
    codes = np.full(20_000, 1000, np.int32)  # between 992 and 1000 + 24 of a word with 16 units in its last place
    codes[0] = 2000
    kept = one._kept(codes, Rounding.STOCHASTIC, (3, 4))
    assert set(np.unique(kept[1:])) == {992, 1008}
    assert abs(kept[1:].mean() - 1000) < 4 * 8 / np.sqrt(len(kept))


def test_adam_is_refused():
    one = unit()
    master = one.create(np.ones(2))
    with pytest.raises(UserError, match="no Adam"):
        Adam().step(one, master, Value(leaf(np.ones(2, np.int32)), 12, 1), ONE, (0, 0), decay=True)


def test_a_run_goes_on_to_the_same_bits(tmp_path):
    def trainer(name: str, stop_after: int | None = None) -> Trainer:
        small = [
            "data.options={train_limit=64, test_limit=16}",
            "epochs=2",
            "network=mlp",
            "network_options.hidden=[8]",
        ]
        resolved = load_recipe("lenet5-digits-ghaffari", overrides=small)
        return Trainer(resolved, RunDirectory.create(tmp_path / name, resolved), stop_after=stop_after)

    whole = trainer("whole").run(make_progress("off"))
    assert whole["bit_exact"] is True
    trainer("cut", 3).run(make_progress("off"))
    again = resume(tmp_path / "cut")
    again.last = again.steps
    assert again.run(make_progress("off"))["digest"] == whole["digest"]
    rows = again.session.precision.history.rows()
    assert {row["word_bits"] for row in rows if row["stream"] in ("master", "momentum")} == {16}
