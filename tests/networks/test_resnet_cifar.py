"""Residual networks for CIFAR: sizes as published, and a network that learns in every arithmetic."""

import numpy as np
import pytest

from fxpsim import shipped
from fxpsim.data import load
from fxpsim.train import Session, load_recipe
from fxpsim.train.network import build_network


def build(**options):
    class Images:
        input_shape, classes = (32, 32, 3), 10

    return build_network(shipped.find("networks", "resnet_cifar"), Images, options)


# He et al. 2016, table 6, gives 0.27, 0.46, 0.66, 0.85 million for depths 20, 32, 44, 56
@pytest.mark.parametrize(
    ("depth", "parameters"), [(20, 269_722), (32, 464_154), (38, 561_370), (56, 853_018), (74, 1_144_666)]
)
def test_parameters(depth, parameters):
    assert sum(np.prod(p.shape) for p in build(depth=depth).parameters()) == parameters


def test_projections_have_parameters():
    # two 1 x 1 convolutions (16 x 32, 32 x 64) with batch normalization
    extra = 16 * 32 + 32 * 64 + 2 * 32 + 2 * 64
    assert sum(np.prod(p.shape) for p in build(variant="B").parameters()) == 269_722 + extra


def test_a_wrong_depth_is_refused():
    with pytest.raises(Exception, match="6 n \\+ 2"):
        build(depth=18)


@pytest.mark.parametrize(
    ("accelerator", "method"),
    [("int8_systolic_32x32", "float32"), ("int8_systolic_32x32", "int8"), ("int8_all_integer", "int8")],
)
def test_learns_digits(accelerator, method):
    overrides = [f"accelerator={accelerator}", f"method={method}", "network=resnet_cifar", "network_options.depth=8"]
    session = Session(
        load_recipe("lenet5-digits", overrides=[*overrides, "network_options.width=4"]), load("digits"), steps=40
    )
    split = session.dataset.train
    losses = []
    for step in range(40):
        part = slice(32 * step, 32 * step + 32)
        losses.append(session.step(step, split.inputs[part], split.targets[part]).loss)
    assert np.mean(losses[-5:]) < 0.6 * losses[0]
    saved, digest = {k: v.copy() for k, v in session.arrays().items()}, session.digest()
    assert "stage1_block1.bn1.running_variance" in saved
    session.step(40, split.inputs[:32], split.targets[:32])
    assert session.digest() != digest
    session.load_arrays(saved)
    assert session.digest() == digest
