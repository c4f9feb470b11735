"""The recorder: intervals, shares, cuts, checkpoints."""

import json

from hypothesis import given
from hypothesis import strategies as st

from fxpsim.records import HistoryRecorder, as_history


def steps_of(rows: list[dict]) -> dict[tuple[str, str, int], tuple[int, int | None]]:
    return {
        (row["layer"], row["stream"], step): (row["word_bits"], row["frac_bits"])
        for row in rows
        for step in range(row["step_begin"], row["step_end"])
    }


formats = st.tuples(st.integers(2, 4), st.one_of(st.none(), st.integers(0, 1)))


@given(st.lists(st.tuples(formats, formats), min_size=1, max_size=30), st.sets(st.integers(0, 30)), st.integers(0, 30))
def test_rows_say_what_was_recorded(history: list, cuts: set[int], stop: int) -> None:
    recorder = HistoryRecorder()
    recorded = {}
    for step, pair in enumerate(history):
        if step == stop:
            recorder = HistoryRecorder.from_state(json.loads(json.dumps(recorder.state())))
        if step in cuts:
            recorder.cut(step)
        for stream, (word, frac) in zip(("weight", "error"), pair, strict=True):
            recorder.record(step, "fc", stream, word, frac, 10, 5, 1, 0)
            recorded["fc", stream, step] = (word, frac)
    rows = recorder.rows()
    as_history(rows)  # no overlap, valid
    assert steps_of(rows) == recorded
    begins = {row["step_begin"] for row in rows}
    assert {cut for cut in cuts if 0 < cut < len(history)} <= begins
    assert all(row["nonzero_share"] == 0.5 and row["saturated_share"] == 0.1 for row in rows)


def test_shares_are_weighted_by_elements() -> None:
    recorder = HistoryRecorder()
    recorder.record(0, "fc", "error", 8, 2, elements=10, nonzero=10, saturated=0, underflow=0)
    recorder.record(1, "fc", "error", 8, 2, elements=30, nonzero=0, saturated=3, underflow=6)
    (row,) = recorder.rows()
    assert (row["nonzero_share"], row["saturated_share"], row["underflow_share"]) == (0.25, 0.075, 0.15)


def test_skipped_steps_keep_their_bits_and_histograms_add_up() -> None:
    recorder = HistoryRecorder()
    recorder.record(0, "fc", "weight", 8, None, 4, 4, 0, 0, {2: 1, 4: 3})
    recorder.record(5, "fc", "weight", 8, None, 4, 4, 0, 0, {4: 4})
    recorder.record(9, "fc", "weight", 6, None, 4, 4, 0, 0)
    recorder.cut(20)
    first, second = recorder.rows()
    assert (first["step_begin"], first["step_end"], first["bits_histogram"]) == (0, 9, "2:0.125;4:0.875")
    assert (second["step_begin"], second["step_end"]) == (9, 20)
    assert "bits_histogram" not in second


def test_several_tensors_of_a_step_share_its_first_format() -> None:
    recorder = HistoryRecorder()
    for step in range(2):
        for frac_bits in (3, 4, 5):
            recorder.record(step, "lstm", "activation", 8, frac_bits + step, 10, 5 if frac_bits == 3 else 10, 0, 0)
    rows = as_history(recorder.rows())
    assert rows["frac_bits"].tolist() == [3, 4]
    assert rows["step_end"].tolist() == [1, 2]
    assert rows["nonzero_share"].tolist() == [25 / 30] * 2
