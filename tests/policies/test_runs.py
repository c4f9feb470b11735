"""Every method trains; its bits never depend on threads or interruptions; its decisions are recorded."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import fxpsim
from fxpsim.kernels.threads import set_threads, threads
from fxpsim.train import RunDirectory, Trainer, load_recipe, make_progress, resume

WIDE = ["accelerator=int8_all_integer", "accelerator.mac_array.accumulator.word_bits=48"]
ADEPT = ["optimizer.learning_rate=0.02", "batch=32"]
RUNS = {
    "adept": ("lenet5-digits-adept", ADEPT, False),
    "adept-released": ("lenet5-digits-adept", ["method=adept-released", *ADEPT], False),
    "adept-hardware": ("lenet5-digits-adept", ["method=adept-hardware", *WIDE, *ADEPT], True),
    "marvin": ("lenet5-digits-adept", ["method=marvin", *ADEPT], False),
    "muppet": ("lenet5-digits-muppet", ["method.policy.resolution=1", "method.policy.patience=1"], True),
    "apt": ("lenet5-digits-apt", [], True),
    "apt-mode2": ("lenet5-digits-apt", ["method=apt-mode2"], True),
    "apt-element-wise": ("lenet5-digits-apt", ["method=apt-element-wise"], True),
}


def train(name: str, folder: Path, *, stop_after: int | None = None, epochs: int = 3) -> dict:
    recipe, overrides, _ = RUNS[name]
    resolved = load_recipe(recipe, overrides=[*overrides, f"epochs={epochs}"])
    trainer = Trainer(resolved, RunDirectory.create(folder, resolved), stop_after=stop_after)
    return trainer.run(make_progress("off"))


@pytest.mark.parametrize("name", RUNS)
def test_every_method_trains(name, tmp_path):
    summary = train(name, tmp_path / "run")
    assert summary["test_accuracy"] > 0.5, "ten classes"
    assert summary["bit_exact"] is RUNS[name][2]
    assert summary["accumulator_overflows"] == 0
    assert all(abs(sum(shares.values()) - 1) < 1e-9 for shares in summary["width_shares"].values())
    if name.startswith("apt"):
        assert set(summary["width_shares"]["error"]) <= {"8", "16", "24", "32"}
    lines = [json.loads(line) for line in (tmp_path / "run" / "decisions.jsonl").read_text().splitlines()]
    keys = {"step", "layer", "stream", "quantity", "value", "word_bits", "frac_bits"}
    assert lines
    assert all(set(line) == keys for line in lines)
    import pandas as pd

    work = pd.read_parquet(tmp_path / "run" / "vector_workload.parquet")
    assert (work.loc[work["op"] == "policy", "operations"] > 0).all()
    assert "policy" in set(work["op"])


@pytest.mark.parametrize("name", ["adept", "adept-hardware", "apt"])
def test_threads_and_interruptions_change_nothing(name, tmp_path):
    before = threads()
    try:
        set_threads(2)
        whole = train(name, tmp_path / "whole", stop_after=60)
        set_threads(1)
        train(name, tmp_path / "part", stop_after=31)
        trainer = resume(tmp_path / "part")
        trainer.last = 60
        again = trainer.run(make_progress("off"))
    finally:
        set_threads(before)
    assert again["digest"] == whole["digest"]
    decisions = [(tmp_path / run / "decisions.jsonl").read_text() for run in ("whole", "part")]
    assert decisions[0] == decisions[1]


def test_the_hardware_variant_holds_no_float(tmp_path):
    """No array, no scalar of a policy or of what is done to its gradients is a float."""
    package = Path(fxpsim.__file__).parent
    places = (str(package / "policies"), str(package / "train" / "gradients.py"))
    found: list[str] = []
    seen: set[str] = set()

    def is_float(value: object) -> bool:
        if isinstance(value, np.ndarray | np.generic):
            return value.dtype.kind == "f"
        return any(map(is_float, value)) if isinstance(value, list | tuple) else isinstance(value, float)

    def watch(frame, event, result):
        if event == "return" and frame.f_code.co_filename.startswith(places):
            seen.add(frame.f_code.co_name)
            if is_float(result) or any(map(is_float, frame.f_locals.values())):
                found.append(f"{frame.f_code.co_qualname}: {frame.f_locals}")

    recipe, overrides, _ = RUNS["adept-hardware"]
    trainer = Trainer(load_recipe(recipe, overrides=overrides), None, stop_after=45)
    sys.setprofile(watch)
    try:
        trainer.run(make_progress("off"))
    finally:
        sys.setprofile(None)
    assert found == []
    assert {"push_down", "push_up", "hardware_ln", "normalized", "with_l1", "_loss"} <= seen
