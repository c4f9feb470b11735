"""Method and policy as the tape sees them."""

import pytest

from fxpsim.errors import UserError
from fxpsim.numerics import RandomBits
from fxpsim.train.precision import RunPrecision
from fxpsim.train.recipe import Method

FIXED = {"quantizer": "fixed_point", "word_bits": 8}
STREAMS = {"weight": FIXED, "activation": FIXED, "error": FIXED}


def precision(**changes) -> RunPrecision:
    fields = {"name": "mine", "description": "", "source": "a test", "streams": STREAMS} | changes
    return RunPrecision(Method(**fields), ["conv1", "fc"], RandomBits(seed=3))


def test_a_layer_can_have_its_own_quantizer():
    mine = precision(layers={"fc": {"weight": {"quantizer": "fixed_point", "word_bits": 4}}})
    assert mine.quantizer("conv1", "weight").word_bits == 8
    assert mine.quantizer("fc", "weight").word_bits == 4


def test_mean_bits_and_float_streams():
    assert precision().mean_word_bits() == 8
    mixed = precision(streams=STREAMS | {"error": {"quantizer": "none"}})
    assert mixed.mean_word_bits() == 16
    assert mixed.float_streams() == ["error"]


def test_keys_differ_by_layer_stream_and_step():
    mine = precision()
    keys = set()
    for step in range(3):
        mine.begin_step(step)
        keys |= {mine.key(layer, stream) for layer in ("conv1", "fc") for stream in ("error", "weight")}
    assert len(keys) == 12


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"streams": {"weight": FIXED, "activation": FIXED}}, "stream 'error' has no quantizer"),
        ({"streams": STREAMS | {"eror": FIXED}}, "did you mean 'error'"),
        ({"layers": {"conv": {"weight": FIXED}}}, "did you mean 'conv1'"),
        ({"streams": STREAMS | {"error": {"quantizer": "fixedpoint", "word_bits": 8}}}, "did you mean 'fixed_point'"),
        ({"streams": STREAMS | {"error": {"quantizer": "fixed_point", "bits": 8}}}, "did you mean 'word_bits'"),
        ({"streams": STREAMS | {"error": {"quantizer": "fixed_point"}}}, "word_bits"),
        ({"streams": STREAMS | {"error": {"word_bits": 8}}}, "no quantizer is named"),
        ({"policy": {"name": "statik"}}, "did you mean 'static'"),
    ],
)
def test_mistakes_in_a_method(changes, text):
    with pytest.raises(UserError, match=text):
        precision(**changes)


def test_every_cast_of_a_step_draws_its_own_words():
    mine = precision()
    mine.begin_step(4)
    first = [mine.key("fc", "error") for _ in range(3)]
    assert len(set(first)) == 3
    mine.begin_step(4)
    assert [mine.key("fc", "error") for _ in range(3)] == first
