"""On the all-integer accelerator a training step holds no float: no array, no scalar, no machine instruction."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("no_float_step.py")


def run(accelerator: str, cache: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"FXPSIM_CACHE_DIR": str(cache)}
    return subprocess.run(
        [sys.executable, SCRIPT, accelerator], capture_output=True, text=True, env=environment, check=False
    )


def test_the_all_integer_accelerator_computes_without_float(tmp_path):
    result = run("int8_all_integer", tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("accelerator", ["int8_systolic_32x32"])
def test_the_watch_finds_the_floats_of_a_float_unit(accelerator, tmp_path):
    result = run(accelerator, tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "fxpsim" in result.stdout
