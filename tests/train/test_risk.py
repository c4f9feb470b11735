"""The range proof of a network's products."""

import pytest

from fxpsim.accelerator import load
from fxpsim.numerics import RandomBits
from fxpsim.train.precision import RunPrecision
from fxpsim.train.recipe import Method
from fxpsim.train.risk import overflow_risks

EIGHT = {"quantizer": "fixed_point", "word_bits": 8}
STREAMS = {"weight": EIGHT, "activation": EIGHT | {"signed": "auto"}, "error": EIGHT}


def risks(k: int, pass_: str, streams: dict = STREAMS, **accumulator: object) -> list[dict]:
    method = Method(name="mine", description="", source="a test", streams=streams)
    target = load("int8_systolic_32x32")
    for key, value in accumulator.items():
        target = target.with_set(f"mac_array.accumulator.{key}", value)
    return overflow_risks(target, RunPrecision(method, ["fc"], RandomBits()), [{"layer": "fc", "pass": pass_, "k": k}])


@pytest.mark.parametrize(
    ("pass_", "largest"),
    # unsigned activations reach 255, signed codes -128; the accumulator reaches -2**31 and 2**31 - 1
    [
        ("forward", 2**31 // (255 * 128)),
        ("weight_grad", 2**31 // (255 * 128)),
        ("input_grad", (2**31 - 1) // (128 * 128)),
    ],
)
def test_the_longest_safe_sum(pass_, largest):
    assert risks(largest, pass_) == []
    (found,) = risks(largest + 1, pass_)
    assert found == {
        "layer": "fc", "pass": pass_, "products": largest + 1, "safe_products": largest, "needed_word_bits": 33,
    }  # fmt: skip


def test_a_narrow_accumulator_and_dropped_bits():
    assert risks(100, "input_grad", word_bits=18)[0]["safe_products"] == (2**17 - 1) // 2**14
    assert risks(100, "input_grad", word_bits=18, product_drop_bits=7, rounding="floor") == []


def test_float_operands_have_no_accumulator_codes():
    assert risks(10**9, "forward", STREAMS | {"weight": {"quantizer": "none"}}) == []
