"""What encoders count on the way is what counting afterwards says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxpsim.numerics import RandomBits
from fxpsim.quantizers import BlockFloatingPoint, DynastyBlocks, StatQuantBHQ, StatQuantPSQ, StatQuantPTQ
from fxpsim.quantizers.stream import _counted

METHODS = [
    StatQuantPTQ(),
    StatQuantPTQ(rounding="half_even"),
    StatQuantPTQ(zero_aligned=False),
    StatQuantPTQ(zero_aligned=False, rounding="half_up"),
    StatQuantPTQ(epsilon=0.5),
    StatQuantPSQ(),
    StatQuantPSQ(axis=-1),
    StatQuantPSQ(axis=-1, rounding="half_even"),
    StatQuantBHQ(),
    StatQuantBHQ(rounding="half_away"),
]


@pytest.mark.parametrize("method", METHODS, ids=repr)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_tally(method, data):
    shape = data.draw(st.sampled_from([(5,), (1, 3), (4, 6), (3, 2, 5)]))
    # few different numbers, so that ends, zeros and constants are met; one far out, so that zero lies at an end
    numbers = st.sampled_from([0.0, -0.0, 1.0, -1.0, 3.0, -0.003, 1e-30, 400.0, -7.5])
    size = int(np.prod(shape))
    x = np.array(data.draw(st.lists(numbers, min_size=size, max_size=size)), np.float32).reshape(shape)
    bits = data.draw(st.integers(2, 9))
    encoded = method.encode(x, bits=bits, random=RandomBits(seed=1))
    counted = _counted(x, encoded)
    assert encoded.tally is not None
    assert encoded.tally[:2] == counted[:2]
    if encoded.tally.saturated is not None:
        assert encoded.tally.saturated == method.saturated(x, encoded)


BLOCKS = [
    BlockFloatingPoint(block=2),
    BlockFloatingPoint(block=3, axis=0, rounding="stochastic"),
    BlockFloatingPoint(block=2, axis=-2, rounding="half_up", headroom=True),
    DynastyBlocks(rounding="stochastic", axes=(0, -1)),
    DynastyBlocks(axes=(-2, -1), tile=2),
    DynastyBlocks(axes=(0, 1), tile=3, rounding="stochastic"),
]


@pytest.mark.parametrize("method", BLOCKS, ids=repr)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_tally_of_blocks(method, data):
    shape = data.draw(st.sampled_from([(5,), (4, 6), (3, 2, 5)]))
    numbers = st.sampled_from([0.0, -0.0, 1.0, -1.99, 1.96875, 0.01, 1e-45, -1e-30, 400.0, 3e38])
    size = int(np.prod(shape))
    x = np.array(data.draw(st.lists(numbers, min_size=size, max_size=size)), np.float32).reshape(shape)
    encoded = method.encode(x, bits=data.draw(st.sampled_from([2, 4, 6, 8])), random=RandomBits(seed=1))
    assert encoded.tally is not None
    assert encoded.tally[:2] == _counted(x, encoded)[:2]
    assert encoded.tally.saturated == method.saturated(x, encoded)
    words, counts = np.unique(encoded.element_bits(), return_counts=True)
    assert encoded.bits_histogram() == dict(zip(words.tolist(), counts.tolist(), strict=True))


def test_what_clips_is_left_to_the_count_afterwards():
    x = np.array([-1.0, 400.0], np.float32)
    encoded = StatQuantPTQ(rounding="half_even").encode(x, bits=2)
    assert encoded.tally == (1, 1, 0), "-1 is nearer to zero than half a step"
    x = np.array([[-100.0, 250.0]], np.float32)
    encoded = StatQuantPTQ(rounding="half_even").encode(x, bits=2)
    assert encoded.tally.saturated in (0, None)
    assert StatQuantPTQ(rounding="half_even").saturated(x, encoded) == (0 if encoded.tally.saturated == 0 else 1)
