"""``fxpsim sweep`` through the installed command: skips what is done, goes on after failures, writes tables."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e-sweep")]
COMMAND = [sys.executable, "-c", "from fxpsim.cli import main; main()"]
STUDY = """
name = "tiny"
description = "A study of a test."
seeds = [1, 2]
settings = ["epochs=1", "data.options.train_limit=96", "data.options.test_limit=64"]
accelerators = ["int8_systolic_32x32"]

[[group]]
recipes = ["lenet5-digits"]
methods = ["float32", "int8"]

[[published]]
label = "others"
source = "a paper"
values = { test_accuracy = 0.5 }
"""
FAILING = """
[[group]]
label = "fails"
recipes = ["lenet5-digits"]
settings = ["method.policy.name=unheard-of"]
"""


def sweep(cwd: Path, *arguments: object, status: int = 0) -> str:
    result = subprocess.run(
        [*COMMAND, "sweep", "study.toml", "--out", "out", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ,
        check=False,
    )
    assert result.returncode == status, result.stdout + result.stderr
    return result.stdout + result.stderr


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> Path:
    """A study of four runs that are done and two that fail."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "study.toml").write_text(STUDY + FAILING)
    output = sweep(folder, "--jobs", 2, "--publish", "reference", status=1)
    assert "6 runs, 6 to do" in output
    assert "2 runs failed" in output
    return folder


def test_a_failing_run_does_not_stop_the_others(swept):
    page = (swept / "out" / "README.md").read_text()
    assert "`fails--lenet5-digits--seed1`: failed" in page
    assert "unheard-of" in (swept / "out" / "logs" / "fails--lenet5-digits--seed1.log").read_text()
    assert len(rows(swept / "out" / "runs.csv")) == 4


def test_the_tables_hold_what_the_runs_say(swept):
    runs, table = rows(swept / "out" / "runs.csv"), rows(swept / "out" / "table.csv")
    digests = {
        json.loads((path / "summary.json").read_text())["digest"] for path in (swept / "out").glob("lenet5-digits--*")
    }
    assert {row["digest"] for row in runs} == digests
    own = [row for row in runs if row["method"] == "int8"]
    (merged,) = [row for row in table if row["method"] == "int8"]
    (base,) = [row for row in table if row["method"] == "float32"]
    accuracies = [float(row["test_accuracy"]) for row in own]
    assert float(merged["test_accuracy"]) == pytest.approx(sum(accuracies) / 2)
    assert float(merged["test_accuracy_spread"]) == pytest.approx(max(accuracies) - min(accuracies))
    points = 100 * (float(merged["test_accuracy"]) - float(base["test_accuracy"]))
    assert float(merged["points_float32"]) == pytest.approx(points)
    assert float(merged["weight_mean_bits"]) == 8
    assert float(base["int8_systolic_32x32.speedup_float32"]) == pytest.approx(1)
    assert float(merged["int8_systolic_32x32.speedup_int8"]) == pytest.approx(1)
    page = (swept / "out" / "README.md").read_text()
    for text in ("fxpsim sweep study.toml --jobs 2", "a paper", "int8_systolic_32x32", "others"):
        assert text in page
    assert str(swept) not in page, "places of this machine stay out of what is published"
    assert {path.name for path in (swept / "reference").iterdir()} == {
        "README.md", "runs.csv", "study.toml", "table.csv",
    }  # fmt: skip


def test_a_missing_file_is_told_before_anything_runs(swept):
    assert "no such file: nowhere.json" in sweep(swept, "--gemm-times", "nowhere.json", status=2)


def test_what_is_done_is_skipped_and_what_changed_is_refused(swept):
    before = (swept / "out" / "lenet5-digits--int8--seed1" / "summary.json").stat().st_mtime_ns
    (swept / "study.toml").write_text(STUDY)
    assert "4 runs, 0 to do" in sweep(swept)
    assert (swept / "out" / "lenet5-digits--int8--seed1" / "summary.json").stat().st_mtime_ns == before
    (swept / "study.toml").write_text(STUDY.replace("train_limit=96", "train_limit=64"))
    message = sweep(swept, status=2)
    assert "4 runs were made from another recipe" in message
    assert "--redo" in message
    assert "4 runs, 1 to do" in sweep(swept, "--redo", "--only", "int8--seed1")
    assert len(rows(swept / "out" / "runs.csv")) == 1, "runs of another recipe are in no table"


def test_an_interrupted_study_goes_on_where_it_was(tmp_path):
    text = STUDY.replace("epochs=1", "epochs=60").replace('methods = ["float32", "int8"]', "")
    (tmp_path / "study.toml").write_text(text.replace("[1, 2]", "[1]"))
    process = subprocess.Popen(
        [*COMMAND, "sweep", "study.toml", "--out", "out"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # whoever runs the tests in the background may ignore interrupts, and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509  # no threads here
    )
    latest = tmp_path / "out" / "lenet5-digits--seed1" / "checkpoint" / "latest"
    deadline = time.monotonic() + 120
    while not (latest.exists() and "step-00000000" not in latest.read_text()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert not (tmp_path / "out" / "lenet5-digits--seed1" / "summary.json").exists()
    sweep(tmp_path)
    assert "resume" in (tmp_path / "out" / "logs" / "lenet5-digits--seed1.log").read_text()
    assert json.loads((tmp_path / "out" / "lenet5-digits--seed1" / "summary.json").read_text())["epochs"] == 60
