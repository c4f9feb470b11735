"""The README's run through the installed command: what it reaches, and that its bits never depend on how it is run."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e")]
COMMAND = [sys.executable, "-c", "from fxpsim.cli import main; main()"]


def fxpsim(*arguments: object, cwd: Path, status: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | environment,
        check=False,
    )
    assert result.returncode == status, result.stdout + result.stderr
    return result


def summary(run: Path) -> dict:
    return json.loads((run / "summary.json").read_text())


@pytest.fixture(scope="module")
def short(tmp_path_factory) -> Path:
    """A run of 100 steps on the all-integer accelerator."""
    folder = tmp_path_factory.mktemp("short")
    options = ("--steps", 100, "--set", "accelerator=int8_all_integer", "--out", "run")
    fxpsim("run", "lenet5-digits", *options, cwd=folder)
    return folder / "run"


def test_eight_bit_reaches_its_accuracy_and_float32_is_close(tmp_path):
    fxpsim("run", "lenet5-digits", "--out", "int8", cwd=tmp_path)
    fxpsim("run", "lenet5-digits", "--set", "method=float32", "--out", "float32", cwd=tmp_path)
    ours, theirs = summary(tmp_path / "int8"), summary(tmp_path / "float32")
    assert ours["test_accuracy"] >= 0.96
    assert ours["test_accuracy"] >= theirs["test_accuracy"] - 0.01
    assert ours["bit_exact"] is True
    assert theirs["bit_exact"] is False
    assert ours["cost"]["int8_systolic_32x32"]["speedup"] > 1
    report = (tmp_path / "int8" / "report.html").read_text()
    assert re.search(r"(src|href)=[\"']?(https?:)?//", report) is None, "the report is one file"
    fxpsim("report", "int8", "float32", "--out", "both.html", cwd=tmp_path)
    assert (tmp_path / "both.html").stat().st_size > 10_000


def test_all_integer_reaches_its_accuracy(tmp_path):
    fxpsim("run", "lenet5-digits", "--set", "accelerator=int8_all_integer", "--out", "run", cwd=tmp_path)
    result = summary(tmp_path / "run")
    assert result["test_accuracy"] >= 0.95
    assert result["bit_exact"] is True


def test_a_run_directory_is_complete(short):
    expected = {
        "recipe.toml", "environment.json", "metrics.jsonl", "history.parquet", "workload.parquet",
        "vector_workload.parquet", "summary.json", "cost.csv", "report.html", "checkpoint",
    }  # fmt: skip
    assert expected <= {path.name for path in short.iterdir()}
    assert {"digest", "bit_exact", "steps", "epochs", "train_loss", "test_accuracy", "wall_s", "cost"} <= set(
        summary(short)
    )
    lines = [json.loads(line) for line in (short / "metrics.jsonl").read_text().splitlines()]
    assert {line["event"] for line in lines} == {"train", "eval"}


EPOCHS = 5  # of runs that are stopped: after two of them at most
TWENTY_STEPS = ("run", "lenet5-digits", "--steps", 20)


@pytest.fixture(scope="module", params=["int8_systolic_32x32", "int8_all_integer"])
def plain(request, tmp_path_factory) -> tuple[str, str]:
    """An accelerator, and the digest of twenty steps on it."""
    folder = tmp_path_factory.mktemp("plain")
    fxpsim(*TWENTY_STEPS, "--set", f"accelerator={request.param}", "--out", "run", cwd=folder)
    return request.param, summary(folder / "run")["digest"]


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        (("--threads", 1), {}),
        (("--threads", 3, "--set", "evaluation_batch=100"), {}),
        (("--progress", "live"), {"OPENBLAS_CORETYPE": "Nehalem", "FXPSIM_MAC": "blas"}),
        (("--progress", "off"), {"NUMBA_CPU_NAME": "generic"}),
    ],
    ids=["1 thread", "3 threads, another evaluation batch", "another BLAS core, another display", "generic CPU"],
)
def test_the_digest_does_not_depend_on_how_it_runs(options, environment, plain, tmp_path):
    accelerator, digest = plain
    fxpsim(*TWENTY_STEPS, *options, "--set", f"accelerator={accelerator}", "--out", "run", cwd=tmp_path, **environment)
    assert summary(tmp_path / "run")["digest"] == digest


def test_verify_executes_again(short):
    assert "same digest after 100 steps" in fxpsim("verify", short, cwd=short.parent).stdout


def test_verify_notices_a_difference(short, tmp_path):
    import shutil

    shutil.copytree(short, tmp_path / "run")
    path = tmp_path / "run" / "summary.json"
    path.write_text(path.read_text().replace(summary(short)["digest"], "0" * 64))
    assert "DIFFERENT" in fxpsim("verify", "run", cwd=tmp_path, status=1).stdout


def start(cwd: Path, *options: object) -> subprocess.Popen[str]:
    command = [
        *COMMAND,
        "run",
        "lenet5-digits",
        "--epochs",
        str(EPOCHS),
        "--set",
        "accelerator=int8_all_integer",
        *map(str, options),
    ]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for the end and return what was printed."""
    output, _ = process.communicate(timeout=120)
    return output


def wait_for_checkpoint(run: Path, step: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        latest = run / "checkpoint" / "latest"
        if latest.exists() and int(latest.read_text().split()[0].removeprefix("step-")) >= step:
            return
        assert process.poll() is None, "the run ended before it could be stopped"
        time.sleep(0.01)
    raise AssertionError("no checkpoint in time")


def test_a_killed_run_resumes_to_the_same_bits(tmp_path):
    whole = start(tmp_path, "--out", "whole")
    finish(whole)
    assert whole.returncode == 0
    killed = start(tmp_path, "--out", "killed")
    wait_for_checkpoint(tmp_path / "killed", 90, killed)
    time.sleep(0.05)  # into the next epoch
    killed.send_signal(signal.SIGKILL)
    finish(killed)
    assert not (tmp_path / "killed" / "summary.json").exists()
    fxpsim("resume", "killed", cwd=tmp_path)
    first, second = summary(tmp_path / "whole"), summary(tmp_path / "killed")
    for key in ("digest", "steps", "train_loss", "test_accuracy", "cost"):
        assert first[key] == second[key]
    lines = [
        [json.loads(x) for x in (tmp_path / n / "metrics.jsonl").read_text().splitlines()] for n in ("whole", "killed")
    ]
    for one, other in zip(*lines, strict=True):
        assert one | {"steps_per_s": 0} == other | {"steps_per_s": 0}


def test_ctrl_c_ends_with_a_checkpoint_and_says_how_to_go_on(tmp_path):
    process = start(tmp_path, "--out", "run")
    wait_for_checkpoint(tmp_path / "run", 45, process)
    process.send_signal(signal.SIGINT)
    output = finish(process)
    assert process.returncode == 130
    assert "fxpsim resume run" in output
    assert "Traceback" not in output
    fxpsim("resume", "run", cwd=tmp_path)
    assert summary(tmp_path / "run")["epochs"] == EPOCHS
