"""Vector programs against a plain-Python interpreter that runs the same scalar functions element by element."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxpsim.kernels import program as programs
from fxpsim.kernels.program_source import program_source, scalar_function
from fxpsim.kernels.threads import set_threads, threads
from fxpsim.units.graph import Node, apply, evaluate, index, leaf, parameter


def interpret(node: Node, place: tuple[int, ...], shape: tuple[int, ...]) -> int:
    """Value of one element of an integer graph, in plain Python integers."""
    if node.array is not None:
        core = [p if d > 1 else 0 for p, d in zip(place[len(place) - node.array.ndim :], node.array.shape, strict=True)]
        return int(node.array[tuple(core)])
    if node.scalar is not None:
        return int(node.scalar)
    if node.primitive == "index":
        return int(np.ravel_multi_index(place, shape))
    return int(scalar_function(node.primitive)(*(interpret(o, place, shape) for o in node.operands)))


@st.composite
def graphs(draw) -> tuple[Node, tuple[int, ...]]:
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=2, max_size=3)))
    seed = draw(st.integers(0, 2**16))
    random = np.random.default_rng(seed)
    column, row = shape[-1:], (*shape[:-1], 1)
    choices = [shape, draw(st.sampled_from([column, row, shape]))]
    pool = [leaf(random.integers(-100, 100, s).astype(np.int16)) for s in choices]
    pool += [parameter(draw(st.integers(-50, 50)), "i32")]
    full = pool[0]
    for _ in range(draw(st.integers(1, 5))):
        name = draw(st.sampled_from(["add", "subtract", "multiply", "maximum", "minimum", "select", "greater"]))
        count = 3 if name == "select" else 2
        operands = [full, *(draw(st.sampled_from(pool)) for _ in range(count - 1))]
        full = apply(name, *operands, dtype="i64")
        full = apply("clamp", full, parameter(-(2**20), "i64"), parameter(2**20, "i64"), dtype="i32")
        pool.append(full)
    shift = parameter(draw(st.integers(0, 6)), "i32")
    mode = draw(st.sampled_from(["floor", "half_even", "half_away", "stochastic"]))
    noise = parameter(0, "i64")
    if mode == "stochastic":
        noise = apply("random_word", index(), parameter(seed, "i64"), parameter(7, "i64"), dtype="i64")
    return apply(f"round_shift_{mode}", full, shift, noise, dtype="i32"), shape


@settings(max_examples=25, deadline=None)
@given(graphs())
def test_a_fused_program_equals_its_plain_python_reading(case):
    node, shape = case
    expected = np.array([interpret(node, place, shape) for place in np.ndindex(*shape)]).reshape(shape)
    reductions = [("sum", node), ("range", node), ("column_sum", node)]
    total, (low, high), columns = evaluate([(node, "i32")], reductions)
    assert node.array is not None
    np.testing.assert_array_equal(node.array, expected)
    assert total == expected.sum()
    assert (low, high) == (min(0, expected.min()), max(0, expected.max()))
    folded = np.asarray(columns).reshape(-1, shape[-1]).sum(0)
    np.testing.assert_array_equal(folded, expected.reshape(-1, shape[-1]).sum(0))


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (64, 48), (300, 200), (70000, 3)])
@pytest.mark.parametrize("dtype", ["f32", "i32"])
def test_results_do_not_depend_on_the_number_of_threads(shape, dtype):
    random = np.random.default_rng(5)
    x = random.standard_normal(shape).astype(np.float32) * 1000
    results = []
    before = threads()
    for count in (1, 2, 3):
        set_threads(count)
        a = leaf(x if dtype == "f32" else x.astype(np.int32))
        b = leaf(random.integers(1, 9, shape[-1:]).astype(np.float32 if dtype == "f32" else np.int32) * 0 + 3)
        node = apply("multiply", a, b, dtype=dtype)
        (columns,) = evaluate([(node, dtype)], [("column_sum", node)])
        assert node.array is not None
        results.append((node.array.tobytes(), np.asarray(columns).tobytes()))
    set_threads(before)
    assert results[0] == results[1] == results[2]


def test_the_largest_float_is_found_by_its_bits():
    x = np.array([[-3.5, 0.0, 2.0], [1e-40, -0.0, 3.25]], np.float32)
    for numbers, largest in (
        (x, 3.5),
        (x * np.float32(1e-40), np.float32(3.5) * np.float32(1e-40)),
        (np.append(x, [[np.nan] * 3], 0), np.nan),
    ):
        node = apply("magnitude_bits", apply("negate", leaf(numbers.astype(np.float32)), dtype="f32"), dtype="i32")
        ((low, high),) = evaluate([], [("range", node)])
        assert low == 0
        np.testing.assert_array_equal(np.int32(high).view(np.float32), np.float32(largest))


def test_structure_is_shared_and_numbers_are_arguments():
    def run(shift: int) -> np.ndarray:
        node = apply(
            "round_shift_floor",
            leaf(np.array([[64, -64]], np.int32)),
            parameter(shift, "i32"),
            parameter(0, "i64"),
            dtype="i32",
        )
        evaluate([(node, "i32")])
        assert node.array is not None
        return node.array

    run(1)
    before = programs.layout.cache_info().misses
    np.testing.assert_array_equal(run(3), [[8, -8]])
    assert programs.layout.cache_info().misses == before


def test_generated_source_is_readable():
    program = programs.Program(
        inputs=(("full", "i16"), ("column", "i32")),
        parameters=("i32",),
        instructions=(("add", (0, 1), "i32"), ("maximum", (3, 2), "i32")),
        stores=((4, "i16"),),
        reductions=(("range", 4),),
        columns=True,
    )
    source, _ = program_source(program, programs.layout(program))
    assert "v3 = np.int32(v0 + v1)" in source
    assert "for row in range(first, last):" in source


def test_an_operand_that_cannot_be_repeated_is_refused():
    node = apply("add", leaf(np.zeros((2, 3), np.int32)), leaf(np.zeros((2, 1), np.int32)), dtype="i32")
    evaluate([(node, "i32")])
    with pytest.raises(ValueError, match="broadcast"):
        apply("add", leaf(np.zeros((2, 3), np.int32)), leaf(np.zeros((2, 2), np.int32)), dtype="i32")


def test_elements_are_counted_once():
    assert math.prod((70000, 3)) % programs.UNIT_ELEMENTS != 0, "the threads test covers a last unit that is not full"


@pytest.mark.parametrize("shape", [(1, 2), (3, 4), (2, 3, 5)])
def test_a_single_element_is_repeated_over_rows(shape):
    x = np.arange(math.prod(shape), dtype=np.int32).reshape(shape)
    node = apply("add", leaf(x), leaf(np.full((1,) * len(shape), 7, np.int32)), dtype="i32")
    (columns,) = evaluate([(node, "i32")], [("column_sum", node)])
    np.testing.assert_array_equal(node.array, x + 7)
    np.testing.assert_array_equal(columns, (x + 7).reshape(-1, shape[-1]).sum(0))
