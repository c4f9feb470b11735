"""Means and heat maps against a step-by-step count."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from fxpsim.records import as_history, as_workload
from fxpsim.report.bits import is_float, mean_bits, mean_bits_over_time, stream_histories
from fxpsim.report.strips import BitScale, bit_panels
from fxpsim.report.tables import saturation_table


def history(rows):
    names = ("step_begin", "step_end", "layer", "stream", "word_bits", "frac_bits")
    shares = {"nonzero_share": 0.5, "saturated_share": 0.25, "underflow_share": None}
    return as_history([dict(zip(names, row, strict=True)) | shares for row in rows])


def workload(sizes):
    """One forward GEMM per layer: sizes are (activation, weight, out) elements."""
    return as_workload(
        [
            {"layer": layer, "pass": "forward", "op": "matmul", "m": 1, "k": 1, "n": 1}
            | dict(zip(("a_elements", "b_elements", "out_elements"), size, strict=True))
            for layer, size in sizes.items()
        ]
    )


WORK = workload({"one": (10, 30, 5), "two": (20, 10, 5)})


def test_mean_over_steps_and_elements():
    table = history([(0, 3, "one", "weight", 8, 4), (3, 4, "one", "weight", 4, 2), (0, 4, "two", "weight", 16, 8)])
    # one: (3 * 8 + 4) / 4 = 7 bit for 30 elements; two: 16 bit for 10
    assert mean_bits(stream_histories(table, WORK)) == {"weight": pytest.approx((30 * 7 + 10 * 16) / 40)}


def test_mean_over_elements_in_time():
    table = history([(0, 4, "one", "weight", 8, 4), (2, 4, "two", "weight", 16, 8), (0, 1, "one", "error", 4, 2)])
    means = mean_bits_over_time(stream_histories(table, WORK), np.array([0, 2, 4]))
    assert means["weight"].tolist() == [8, pytest.approx((30 * 8 + 10 * 16) / 40)]
    assert means["error"][0] == 4
    assert np.isnan(means["error"][1])


def test_layers_come_in_the_order_of_the_workload():
    table = history([(0, 1, "two", "error", 8, 4), (0, 1, "one", "error", 8, 4)])
    assert [one.layer for one in stream_histories(table, WORK)] == ["one", "two"]


def test_bins_are_the_means_of_the_steps():
    random = np.random.default_rng(4)
    cuts = np.unique(random.integers(1, 500, 60))
    edges = [0, *cuts.tolist(), 500]
    rows = [(a, b, "one", "weight", int(random.integers(2, 17)), 0) for a, b in pairwise(edges)]
    del rows[7]  # a gap: steps that nobody recorded
    (one,) = stream_histories(history(rows), WORK)
    by_step = np.full(500, np.nan)
    for begin, end, _, _, bits, _ in rows:
        by_step[begin:end] = bits
    bins = np.arange(0, 501, 20)
    with np.errstate(invalid="ignore"):
        expected = np.array([np.nanmean(by_step[a:b]) for a, b in pairwise(bins)])
    assert np.allclose(one.binned(one.word_bits, bins), expected)
    assert one.mean(one.word_bits) == pytest.approx(np.nanmean(by_step))


def test_a_stretch_without_records_is_empty():
    (one,) = stream_histories(history([(10, 20, "one", "weight", 8, 4)]), WORK)
    assert np.isnan(one.binned(one.word_bits, np.array([0, 10, 20, 30]))).tolist() == [True, False, True]


def test_unknown_shares_stay_unknown():
    (one,) = stream_histories(history([(0, 5, "one", "weight", 8, 4)]), WORK)
    assert one.mean(one.shares["saturated_share"]) == 0.25
    assert np.isnan(one.mean(one.shares["underflow_share"]))
    assert np.isnan(one.worst(one.shares["underflow_share"]))


def test_blocks_of_different_length_count_by_their_share():
    table = history([(0, 3, "one", "weight", 8, None), (3, 4, "one", "weight", 8, None)])
    table["bits_histogram"] = ["0:0.25;2:0.5;8:0.25", None]
    (one,) = stream_histories(as_history(table), WORK)
    assert one.word_bits.tolist() == [3, 8]
    assert mean_bits([one]) == {"weight": pytest.approx((3 * 3 + 8) / 4)}


def test_relative_error_is_shown_where_it_was_recorded():
    table = history([(0, 3, "one", "weight", 8, 4), (0, 3, "two", "weight", 8, 4)])
    found = stream_histories(table, WORK)
    assert len(saturation_table(found, 3).columns) == 9
    table["relative_error"] = [0.0125, None]
    shown = saturation_table(stream_histories(as_history(table), WORK), 3)
    assert [row[-1].content for row in shown.rows] == ["1.25 %", "–"]


def test_float_is_not_a_word_length():
    table = history([(0, 2, "one", "weight", 32, None), (0, 1, "one", "error", 8, 4), (1, 2, "one", "error", 32, 4)])
    weight, error = stream_histories(table, WORK)
    assert weight.is_float.all()
    assert not error.is_float.any()
    assert is_float([weight])
    assert not is_float([weight, error])
    scale = BitScale.of([weight, error])
    assert scale.widths == (8, 32)
    assert [label for _, label in scale.legend()] == ["8 bit", "32 bit", "float32"]


def test_a_constant_stream_is_one_cell_and_a_million_steps_are_few():
    rows = [(0, 1_000_000, "one", "weight", 8, 4)]
    rows += [(step, step + 10, "one", "error", 4 + step // 10 % 8, 2) for step in range(0, 1_000_000, 10)]
    found = stream_histories(history(rows), WORK)
    panels = bit_panels(found, 1_000_000, BitScale.of(found))
    assert panels["weight"][0].cells.count("<rect") == 1
    assert panels["error"][0].cells.count("<rect") <= 200


def test_colors_grow_with_the_word():
    table = history([(n, n + 1, "one", "weight", bits, 2) for n, bits in enumerate((2, 4, 8))])
    scale = BitScale.of(stream_histories(table, WORK))
    strengths = [int(color.split("%")[0].split()[-1]) for color, _ in scale.legend()]
    assert strengths == sorted(set(strengths))
    assert len(strengths) == 3


def test_names_are_escaped():
    table = history([(0, 1, "<b>&", "weight", 8, 4)])
    found = stream_histories(table, pd.concat([WORK.iloc[:0], workload({"<b>&": (1, 1, 1)})]))
    cells = bit_panels(found, 1, BitScale.of(found))["weight"][0].cells
    assert "<b>" not in cells
