"""Parameters and multiply-adds of the shipped networks, counted on shapes alone, against the published ones."""

import time

import pytest

from fxpsim import nn, shipped
from fxpsim.train.network import build_network


def build(name: str, input_shape: tuple[int, ...], classes: int, **options) -> nn.Module:
    class Data:
        pass

    Data.input_shape, Data.classes = input_shape, classes
    return build_network(shipped.find("networks", name), Data, options)


IMAGENET = (224, 224, 3), 1000
# name, input shape and classes, options -> parameters and MAdds a sample; sources are in the networks' files
PUBLISHED = [
    ("mlp", ((28, 28, 1), 10), {}, 266_610, 266_200),
    ("lenet5", ((28, 28, 1), 10), {}, 61_706, 416_520),
    ("alexnet_cifar", ((32, 32, 3), 10), {}, 2_472_266, 14_957_056),
    ("vgg_small", ((32, 32, 3), 10), {}, 4_660_106, 607_600_640),
    ("resnet_cifar", ((32, 32, 3), 10), {"depth": 20}, 269_722, 40_551_040),
    ("resnet_cifar", ((32, 32, 3), 10), {"depth": 56}, 853_018, 125_485_696),
    ("resnet", IMAGENET, {"depth": 18}, 11_689_512, 1_814_073_344),
    ("resnet", IMAGENET, {"depth": 34}, 21_797_672, 3_663_761_408),
    ("resnet", IMAGENET, {"depth": 50}, 25_557_032, 4_089_184_256),
    ("mobilenet_v2", IMAGENET, {}, 3_504_872, 300_774_272),
    ("lstm_lm", ((35,), 10_000), {"width": 200}, 4_651_600, 35 * 2_640_000),
]


@pytest.mark.parametrize(("name", "data", "options", "parameters", "madds"), PUBLISHED)
def test_published_sizes(name, data, options, parameters, madds):
    shape, classes = data
    size = nn.measure(build(name, shape, classes, **options), (1, *shape))
    assert (size.parameters, size.madds) == (parameters, madds)
    assert size.output_shape[-1] == classes


def test_gpt_is_nanogpt():
    network = build("gpt", (256,), 65, width=384, layers=6, heads=6)
    size = nn.measure(network, (1, 256))
    assert size.parameters - 256 * 384 == 10_646_784
    # 12 width^2 a block and token, scores, and the two products of attention
    assert size.madds == 256 * (6 * 12 * 384**2 + 384 * 65) + 6 * 2 * 256 * 256 * 384


def test_transformer_is_the_base_model():
    size = nn.measure(build("transformer", (20,), 37_000, width=512, layers=6, heads=8, inner=2048), (1, 50))
    assert size.parameters - 64 * 512 == 63_082_496
    assert size.output_shape == (1, 30, 37_000)


@pytest.mark.parametrize(
    ("name", "data", "shape", "parameters", "madds"),
    [
        ("small_cnn", ((28, 28, 1), 10), (1, 10), 216_250, 1_669_632),
        ("unet_small", ((32, 32, 3), 4), (1, 32, 32, 4), 117_412, 25_149_440),
        ("ssd_small", ((64, 64, 3), 3), (1, 252, 8), 139_224, 4_700_160),
    ],
)
def test_our_own_reductions(name, data, shape, parameters, madds):
    size = nn.measure(build(name, *data), (1, *data[0]))
    assert (size.output_shape, size.parameters, size.madds) == (shape, parameters, madds)


def test_unet_madds_by_hand():
    size = nn.measure(build("unet_small", (32, 32, 3), 4), (1, 32, 32, 3))
    assert size.layers["down1.conv2"] == 32 * 32 * 9 * 16 * 16
    assert size.layers["up1"] == 16 * 16 * 4 * 32 * 16
    assert size.layers["output"] == 32 * 32 * 16 * 4


def test_the_backward_pass_counts_twice_the_forward_pass():
    size = nn.measure(build("mlp", (28, 28, 1), 10), (8, 28, 28, 1), training=True)
    passes = {
        name: sum(g["m"] * g["k"] * g["n"] for g in size.gemms if g["pass"] == name)
        for name in ("forward", "input_grad", "weight_grad")
    }
    assert passes["weight_grad"] == passes["forward"] == 8 * 266_200
    assert passes["input_grad"] == passes["forward"] - 8 * 784 * 300, "the input of the first layer wants no gradient"


def test_a_large_network_is_counted_in_milliseconds():
    network = build("resnet", *IMAGENET, depth=50)
    start = time.perf_counter()
    nn.measure(network, (1, 224, 224, 3))
    assert time.perf_counter() - start < 2
