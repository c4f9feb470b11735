"""Networks of every kind train without a float, and the same whatever the number of threads."""

import numpy as np
import pytest

from fxpsim.data import load
from fxpsim.kernels.threads import set_threads, threads
from fxpsim.train import Session, load_recipe

INTEGER = ["accelerator=int8_all_integer", "method=int8", "schedule.name=constant"]


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("a small text that says the same again and again. " * 40)
    return load("text", path, window=8)


def test_a_language_model_learns_in_integers(sentences):
    options = ["network=gpt", "network_options.width=16", "network_options.layers=1", "network_options.heads=2"]
    optimizer = ["optimizer.learning_rate=0.5", "optimizer.momentum=0.5"]
    session = Session(load_recipe("lenet5-digits", overrides=[*INTEGER, *options, *optimizer]), sentences, steps=12)
    split = sentences.train
    losses = [float(session.step(i, split.inputs[:32], split.targets[:32]).loss) for i in range(12)]
    assert losses[-1] < 0.95 * losses[0]
    assert session.inexact == ""
    assert session.engine.vector.arithmetic == "fixed"


def test_integer_resnet_has_one_digest_for_all_thread_counts():
    options = ["network=resnet_cifar", "network_options.depth=8", "network_options.width=4"]
    data = load("digits")
    before, digests = threads(), []
    for count in (1, 3):
        set_threads(count)
        session = Session(load_recipe("lenet5-digits", overrides=[*INTEGER, *options]), data, steps=4)
        for step in range(4):
            part = slice(32 * step, 32 * step + 32)
            session.step(step, data.train.inputs[part], data.train.targets[part])
        digests.append(session.digest())
    set_threads(before)
    assert digests[0] == digests[1]


def test_adam_trains_a_network_in_integers():
    data = load("digits")
    overrides = [*INTEGER, "network=mlp", "network_options.hidden=[24]", "optimizer={name='adam', learning_rate=0.01}"]
    session = Session(load_recipe("lenet5-digits", overrides=overrides), data, steps=30)
    losses = []
    for step in range(30):
        part = slice(32 * step, 32 * step + 32)
        losses.append(float(session.step(step, data.train.inputs[part], data.train.targets[part]).loss))
    assert np.mean(losses[-5:]) < 0.5 * losses[0]
    state = {name: array.copy() for name, array in session.arrays().items()}
    assert state["fc1.weight/count"].tolist() == [30]
    digest = session.digest()
    session.step(30, data.train.inputs[:32], data.train.targets[:32])
    session.load_arrays(state)
    assert session.digest() == digest
