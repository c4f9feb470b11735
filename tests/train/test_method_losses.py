"""Losses and rates that a method brings along: they train on both vector units, or are refused."""

import pytest

from fxpsim.cli.study import fingerprint
from fxpsim.data import load
from fxpsim.errors import UserError
from fxpsim.policies import Stepped
from fxpsim.train import Session, load_recipe


def trained(recipe, *overrides, steps=12):
    data = load("digits")
    session = Session(load_recipe(recipe, overrides=overrides), data, steps=40)
    seen = []
    for step in range(steps):
        part = slice(32 * step, 32 * step + 32)
        seen.append(session.step(step, data.train.inputs[part], data.train.targets[part]).loss)
    return session, seen


SGD = 'optimizer={name="sgd", learning_rate=0.05, momentum=0.9}'


@pytest.mark.parametrize("method", ["float32", "int8"])
@pytest.mark.parametrize("loss", ["niti", "squares"])
def test_a_classifier_learns_by_them(method, loss):
    overrides = [f"method={method}", f"method.training.loss={loss}", SGD, 'schedule={name="constant"}']
    _, losses = trained("lenet5-digits", *overrides, steps=30)
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


def test_niti_takes_its_own_gradient_and_measures_the_same_loss():
    own, of_own = trained("lenet5-digits-niti", "method.training.loss=niti", steps=2)
    ours, of_ours = trained("lenet5-digits-niti", "method.training.loss=task", steps=2)
    assert of_own[0] == of_ours[0], "the loss of the first step is that of the same weights"
    assert own.digest() != ours.digest()
    assert own.all_integer
    again, _ = trained("lenet5-digits-niti", "method.training.loss=niti", steps=2)
    assert again.digest() == own.digest()


def test_only_classifiers_have_them():
    recipe = load_recipe("mlp-generated", overrides=["method.training.loss=niti"])
    with pytest.raises(UserError, match="the losses of methods are those of classifiers"):
        Session(recipe, load(recipe.recipe.data.name, **recipe.recipe.data.options), steps=4)


def test_rates_follow_the_run():
    policy = Stepped(shares=[0, 0.5], word_bits={}, rates={"gradient": [8, 1]})
    state = policy.init(["fc"], {"gradient": 8})
    assert policy.decide(state, "fc", "gradient").rate == 8.0
    overrides = ['method.policy={name="stepped", shares=[0, 0.2], word_bits={}, rates={gradient=[8, 1]}}']
    session, _ = trained("lenet5-digits-wage", *overrides, steps=8)
    assert session.precision.quantizer("fc1", "gradient").method.learning_rate == 8.0
    session, _ = trained("lenet5-digits-wage", *overrides, steps=9)
    assert session.precision.quantizer("fc1", "gradient").method.learning_rate == 1.0
    with pytest.raises(UserError, match="the quantizer has none"):
        trained("lenet5-digits", overrides[0].replace("gradient", "error"), steps=1)
    with pytest.raises(UserError, match="as many word lengths and rates"):
        Stepped(shares=[0, 0.5], word_bits={}, rates={"gradient": [8]})


def test_the_default_leaves_fingerprints_as_they_were():
    plain, named = (load_recipe("lenet5-digits", overrides=more) for more in ([], ["method.training.loss=task"]))
    other = load_recipe("lenet5-digits", overrides=["method.training.loss=niti"])
    assert fingerprint(plain) == fingerprint(named) != fingerprint(other)
