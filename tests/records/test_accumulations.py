"""Accumulation tables: sums over steps, cuts, checkpoints, and what is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxpsim.errors import UserError
from fxpsim.records import AccumulationRecorder, as_accumulations, read_table, write_table

ROW = {"step_begin": 0, "step_end": 5, "layer": "fc", "pass": "forward", "sums": 6, "products": 60}
COUNTS = {"overflowed": 2, "flushed": 1, "inexact": 7}
gemms = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["forward", "weight_grad"]), st.integers(0, 9))


@given(st.lists(st.lists(gemms, max_size=5), min_size=1, max_size=12), st.sets(st.integers(1, 12)), st.integers(0, 12))
def test_rows_add_up_to_what_was_recorded(steps, cuts, stop):
    recorder = AccumulationRecorder()
    for step, calls in enumerate(steps):
        if step == stop:
            recorder = AccumulationRecorder.from_state(json.loads(json.dumps(recorder.state())))
        if step in cuts:
            recorder.cut(step)
        for layer, pass_, number in calls:
            recorder.record(step, layer, pass_, (1, 9, number, 0, number))
    rows = recorder.rows()
    for layer in "ab":
        for pass_ in ("forward", "weight_grad"):
            mine = [row for row in rows if (row["layer"], row["pass"]) == (layer, pass_)]
            called = [(i, n) for i, calls in enumerate(steps) for at, way, n in calls if (at, way) == (layer, pass_)]
            assert sum(row["sums"] for row in mine) == len(called)
            for name in ("overflowed", "inexact"):
                assert sum(row[name] for row in mine) == sum(n for _, n in called)
            for row in mine:
                inside = [n for i, n in called if row["step_begin"] <= i < row["step_end"]]
                assert row["overflowed"] == sum(inside), "intervals share no step"
                assert not any(row["step_begin"] < cut < row["step_end"] for cut in cuts)
    if rows:
        as_accumulations(rows)


def test_files_hold_what_was_written(tmp_path):
    for name in ("t.csv", "t.parquet"):
        write_table(as_accumulations([{**ROW, **COUNTS}]), tmp_path / name)
        assert as_accumulations(read_table(tmp_path / name)).to_dict("records") == [{**ROW, **COUNTS}]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"flushed": 8}, "flushed is 8 of 7 inexact"),
        ({"inexact": 61}, "inexact is 61 of 60 products"),
        ({"pass": "update"}, "unknown pass 'update'"),
        ({"overflowed": -1}, "overflowed"),
    ],
)
def test_what_is_refused(changes, match):
    with pytest.raises(UserError, match=match):
        as_accumulations([{**ROW, **COUNTS, **changes}])
