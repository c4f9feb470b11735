"""Checkpoints: whole or not at all, and never read when damaged."""

import json

import numpy as np
import pytest

from fxpsim.errors import UserError
from fxpsim.train import checkpoint

ARRAYS = {"conv.weight": np.arange(6, dtype=np.int32).reshape(2, 3), "conv.weight/momentum": np.ones(3, np.float32)}


def test_what_is_saved_comes_back(tmp_path):
    checkpoint.save(tmp_path, ARRAYS, {"step": 3, "policy": {"bits": [8, 4]}})
    arrays, state = checkpoint.load(tmp_path)
    assert state == {"step": 3, "policy": {"bits": [8, 4]}}
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype


def test_only_the_latest_stays(tmp_path):
    for step in (1, 2, 3):
        checkpoint.save(tmp_path, ARRAYS, {"step": step})
    assert [path.name for path in tmp_path.glob("step-*")] == ["step-00000003"]
    assert checkpoint.load(tmp_path)[1]["step"] == 3


def test_an_unfinished_checkpoint_does_not_count(tmp_path):
    checkpoint.save(tmp_path, ARRAYS, {"step": 1})
    (tmp_path / ".step-00000002.tmp").mkdir()
    (tmp_path / ".step-00000002.tmp" / "state.json").write_text("{")
    assert checkpoint.load(tmp_path)[1]["step"] == 1
    checkpoint.save(tmp_path, ARRAYS, {"step": 2})
    assert checkpoint.load(tmp_path)[1]["step"] == 2


@pytest.mark.parametrize("name", ["state.json", "state.safetensors"])
def test_damage_is_noticed(name, tmp_path):
    checkpoint.save(tmp_path, ARRAYS, {"step": 1})
    path = next(tmp_path.glob(f"step-*/{name}"))
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="damaged"):
        checkpoint.load(tmp_path)


def test_no_checkpoint(tmp_path):
    with pytest.raises(UserError, match="no checkpoint"):
        checkpoint.load(tmp_path / "checkpoint")


def test_state_is_plain_json(tmp_path):
    checkpoint.save(tmp_path, ARRAYS, {"step": 1})
    assert json.loads(next(tmp_path.glob("step-*/state.json")).read_text())["format"] == checkpoint.FORMAT
