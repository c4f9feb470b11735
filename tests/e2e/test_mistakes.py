"""A user's mistake: status 2, one message with what, where, expected and remedy, no traceback, nothing half-written."""

import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e-mistakes")]
COMMAND = [sys.executable, "-c", "from fxpsim.cli import main; main()"]


def mistake(cwd: Path, *arguments: object) -> str:
    before = sorted(p for p in cwd.rglob("*"))
    result = subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, env=os.environ, check=False
    )
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(p for p in cwd.rglob("*")) == before, "something was left behind"
    for part in ("where:", "expected:", "remedy:"):
        assert part in result.stderr, result.stderr
    return result.stderr


def recipe(folder: Path, text: str = "", **changes: str) -> Path:
    from fxpsim import shipped

    source = shipped.find("recipes", "lenet5-digits").read_text()
    for old, new in changes.items():
        source = source.replace(old, new)
    path = folder / "mine.toml"
    path.write_text(source + text)
    return path


def idx(path: Path, array: np.ndarray, *, cut: int = 0) -> None:
    data = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(data[: len(data) - cut]))


def mnist(folder: Path, *, cut: int = 0) -> None:
    random = np.random.default_rng(0)
    for part in ("train", "t10k"):
        idx(folder / f"{part}-images-idx3-ubyte.gz", random.integers(0, 256, (40, 28, 28)).astype(np.uint8), cut=cut)
        idx(folder / f"{part}-labels-idx1-ubyte.gz", random.integers(0, 10, 40).astype(np.uint8))


def test_a_misspelt_key(tmp_path):
    message = mistake(tmp_path, "run", recipe(tmp_path, epochs="epoch"))
    assert "did you mean 'epochs'" in message
    assert "mine.toml" in message


def test_a_misspelt_key_on_the_command_line(tmp_path):
    assert "did you mean 'seed'" in mistake(tmp_path, "run", "lenet5-digits", "--set", "sed=3")


def test_a_key_that_stands_twice(tmp_path):
    assert "line" in mistake(tmp_path, "run", recipe(tmp_path, "\n[data]\nname = 'digits'\n"))


def test_an_unknown_network(tmp_path):
    assert "did you mean 'lenet5'" in mistake(tmp_path, "run", "lenet5-digits", "--set", "network=lenet")


def test_an_unknown_recipe(tmp_path):
    assert "did you mean 'lenet5-digits'" in mistake(tmp_path, "run", "lenet5-digit")


def test_a_missing_data_directory(tmp_path):
    assert "nowhere" in mistake(tmp_path, "run", "lenet5-mnist", "--data-dir", "nowhere")


def test_a_directory_without_the_files(tmp_path):
    assert "train-images" in mistake(tmp_path, "run", "lenet5-mnist", "--data-dir", tmp_path)


def test_a_truncated_idx_file(tmp_path):
    mnist(tmp_path, cut=100)
    assert "train-images" in mistake(tmp_path, "run", "lenet5-mnist", "--data-dir", tmp_path)


@pytest.mark.parametrize("bits", [0, 99, -3])
def test_a_word_length_that_no_operand_has(bits, tmp_path):
    assert str(bits) in mistake(tmp_path, "run", "lenet5-digits", "--set", f"method.streams.weight.word_bits={bits}")


def test_a_nan_in_the_data(tmp_path):
    images = np.random.default_rng(0).random((50, 8, 8, 1))
    images[7, 3, 3, 0] = np.nan
    np.savez(
        tmp_path / "data.npz", x_train=images, y_train=np.arange(50) % 10, x_test=images[:10], y_test=np.arange(10)
    )
    message = mistake(tmp_path, "run", "lenet5-digits", "--set", "data.name=npz", "--data-dir", tmp_path / "data.npz")
    assert "NaN" in message


def test_an_output_folder_that_is_in_use(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    assert "not empty" in mistake(tmp_path, "run", "lenet5-digits", "--out", "run")


def test_a_run_that_is_none(tmp_path):
    for command in ("resume", "verify", "cost"):
        assert "no run directory" in mistake(tmp_path, command, tmp_path)
    mistake(tmp_path, "report", tmp_path)


def test_float_streams_on_an_accelerator_without_float(tmp_path):
    changes = ("--set", "accelerator=int8_all_integer", "--set", "method.streams.error.quantizer=none")
    message = mistake(tmp_path, "run", "lenet5-digits", *changes)
    assert "float32" in message


def test_an_unknown_accelerator_to_price_on(tmp_path):
    for name in ("workload", "history"):
        (tmp_path / f"{name}.csv").write_text("layer\n")
    message = mistake(
        tmp_path, "cost", "--workload", "workload.csv", "--history", "history.csv", "--accelerator", "int8_al_integer"
    )
    assert "did you mean 'int8_all_integer'" in message


def test_models_are_listed_shown_and_copied(tmp_path):
    def run(*arguments: str) -> str:
        result = subprocess.run(
            [*COMMAND, "models", *arguments], capture_output=True, text=True, cwd=tmp_path, check=True
        )
        return result.stdout

    assert "lenet5-digits" in run("list")
    assert "def build" in run("show", "lenet5")
    run("copy", "lenet5")
    assert (tmp_path / "lenet5.py").is_file()
    assert "exists" in mistake(tmp_path, "models", "copy", "lenet5")
    assert "did you mean" in mistake(tmp_path, "models", "show", "lenet55")
