"""Record tables: round trips, and how mistakes are answered."""

from pathlib import Path

import pandas as pd
import pytest

from fxpsim.errors import UserError
from fxpsim.records import as_history, as_vector_workload, as_workload, read_table, write_table

GEMM = {
    "layer": "conv1",
    "pass": "forward",
    "op": "conv2d",
    "m": 64,
    "k": 27,
    "n": 8,
    "a_elements": 192,
    "b_elements": 216,
    "out_elements": 512,
}
INTERVAL = {
    "step_begin": 0,
    "step_end": 10,
    "layer": "conv1",
    "stream": "weight",
    "word_bits": 8,
    "frac_bits": 6,
    "nonzero_share": 0.9,
    "saturated_share": 0.0,
    "underflow_share": 0.1,
}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_round_trip(tmp_path: Path, suffix: str) -> None:
    rows = [INTERVAL, {**INTERVAL, "stream": "error", "word_bits": 32, "frac_bits": None, "nonzero_share": None}]
    history = as_history(rows)
    path = tmp_path / f"history.{suffix}"
    write_table(history, path)
    again = as_history(path)
    pd.testing.assert_frame_equal(again, history, check_categorical=False)
    assert str(again["frac_bits"].dtype) == "Int64"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_layer_may_be_named_like_a_number_or_a_null(tmp_path: Path) -> None:
    path = tmp_path / "workload.csv"
    write_table(pd.DataFrame([{**GEMM, "layer": "01"}, {**GEMM, "layer": "NA"}]), path)
    assert as_workload(path)["layer"].tolist() == ["01", "NA"]


def test_large_tables_read_back_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fxpsim.records.files._LARGE", 1)
    odd = 'a "layer", with a comma'
    history = as_history([{**INTERVAL, "layer": odd, "nonzero_share": 1 / 3}, {**INTERVAL, "frac_bits": None}])
    write_table(history, tmp_path / "history.csv")
    pd.testing.assert_frame_equal(as_history(tmp_path / "history.csv"), history, check_categorical=False)


def test_columns_without_any_value(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    shares = dict.fromkeys(("nonzero_share", "saturated_share", "underflow_share", "frac_bits"))
    write_table(pd.DataFrame([{**INTERVAL, **shares}]), path)
    history = as_history(path)
    assert history["frac_bits"].isna().all()
    assert history["nonzero_share"].dtype == float


def test_failed_write_keeps_the_old_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "history.csv"
    write_table(as_history([INTERVAL]), path)
    before = path.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(OSError, match="disk full"):
        write_table(as_history([INTERVAL, {**INTERVAL, "layer": "b"}]), path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"word_bits": -8}, ["word_bits is -8", "row 1 (line 3 of a CSV)", "at least 1"]),
        ({"word_bits": 99}, ["word_bits is 99", "at most 64"]),
        ({"word_bits": 7.5}, ["word_bits is 7.5", "whole bits"]),
        ({"word_bits": "eight"}, ["word_bits is eight", "a number"]),
        ({"word_bits": None}, ["word_bits is missing"]),
        ({"word_bits": float("inf")}, ["word_bits is inf"]),
        ({"nonzero_share": 97.0}, ["nonzero_share is 97.0", "not a percentage"]),
        ({"saturated_share": -0.1}, ["saturated_share is -0.1", "from 0 to 1"]),
        ({"step_begin": -1}, ["step_begin is -1"]),
        ({"step_end": 10, "step_begin": 10}, ["has no steps"]),
        ({"stream": "wieght"}, ["unknown stream 'wieght'", "'weight'"]),
        ({"stream": "error@inputgrad"}, ["unknown pass 'inputgrad'", "'input_grad'"]),
        ({"step_begin": 9, "step_end": 12}, ["overlap", "rows 0 and 1", "0 to 10 and 9 to 12", "'conv1'"]),
        ({"stream": "error", "bits_histogram": "2:0.5;4:0.4"}, ["bits_histogram is '2:0.5;4:0.4'", "sum to 1"]),
    ],
)
def test_mistakes_in_a_history(tmp_path: Path, change: dict[str, object], expected: list[str]) -> None:
    row = {**INTERVAL, "step_begin": 20, "step_end": 30, **change}
    path = tmp_path / "history.csv"
    pd.DataFrame([INTERVAL, row]).to_csv(path, index=False)
    with pytest.raises(UserError) as caught:
        as_history(path)
    for part in expected:
        assert part in str(caught.value)
    assert str(path) in caught.value.where
    assert caught.value.expected
    assert caught.value.remedy


def test_wrong_unit_and_missing_columns() -> None:
    wrong = {("word_bytes" if key == "word_bits" else key): value for key, value in INTERVAL.items()}
    with pytest.raises(UserError, match="'word_bits'"):
        as_history([wrong])
    with pytest.raises(UserError, match="missing column 'frac_bits'"):
        as_history([{key: value for key, value in INTERVAL.items() if key != "frac_bits"}])
    with pytest.raises(UserError, match="a_elements"):
        as_workload([{("a_bytes" if key == "a_elements" else key): value for key, value in GEMM.items()}])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"pass": "backward"}, "unknown pass 'backward'"),
        ({"pass": "update"}, "unknown pass 'update'"),
        ({"m": 0}, "m is 0"),
        ({"kernel_positions": 4}, "does not divide k = 27"),
        ({"m": 2**40, "n": 2**30}, "2\\^50"),
        ({"a_elements": -1}, "a_elements is -1"),
    ],
)
def test_mistakes_in_a_workload(change: dict[str, object], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        as_workload([{**GEMM, **change}])


def test_vector_workload() -> None:
    row = {"layer": "relu", "pass": "update", "op": "relu", "read_elements": 0, "write_elements": 1, "operations": 2}
    assert as_vector_workload([row])["operations"].tolist() == [2]
    with pytest.raises(UserError, match="read_elements is -1"):
        as_vector_workload([{**row, "read_elements": -1}])


def test_unreadable_files(tmp_path: Path) -> None:
    for name, content, expected in [
        ("a.txt", b"x", "unknown table suffix"),
        ("a.csv", b"", "cannot read the table"),
        ("a.parquet", b"PAR1nonsense", "cannot read the table"),
    ]:
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UserError, match=expected):
            read_table(path)
    with pytest.raises(UserError, match="no such table"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(UserError, match="the table is empty"):
        as_workload(pd.DataFrame([GEMM])[:0])
