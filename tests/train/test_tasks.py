"""Every task trains in integers, is measured as it should be, and comes out the same for all thread counts."""

import json
import math

import numpy as np
import pytest

from fxpsim.data import batches, load
from fxpsim.errors import UserError
from fxpsim.kernels.threads import set_threads, threads
from fxpsim.records import as_history
from fxpsim.train import RunDirectory, Session, Trainer, load_recipe, make_progress
from fxpsim.train.tasks.average_precision import Detections, mean_average_precision
from fxpsim.train.tasks.segmentation import Confusion

SMALL = {"train_size": 32, "test_size": 16}
ADAM = "optimizer={name='adam', learning_rate=0.003}"
# data set, its options, network and settings, metrics
TASKS = {
    "segmentation": (
        "shapes-segmentation", SMALL | {"image_size": 16}, ["network=unet_small", "network_options.width=4"],
        {"mean_iou"},
    ),
    "detection": (
        "shapes-detection", SMALL | {"image_size": 32}, ["network=ssd_small", "network_options.width=4"],
        {"mean_average_precision"},
    ),
    "translation": (
        "sequence-translation", SMALL | {"words": 4, "length": 4},
        ["network=transformer", "network_options={width=8, layers=1, heads=2, inner=16, context=8}", ADAM],
        {"perplexity", "sentence_accuracy"},
    ),
    "regression": (
        "polynomial-regression", SMALL, ["network=mlp", "network_options.hidden=[8]"], set(),
    ),
}  # fmt: skip


def session(name: str, accelerator: str) -> Session:
    data, options, overrides, _ = TASKS[name]
    fixed = [f"accelerator={accelerator}", "schedule.name=constant"]
    return Session(load_recipe("lenet5-digits", overrides=[*fixed, *overrides]), load(data, **options), steps=100)


def train(one: Session, steps: int) -> list[float]:
    losses, epoch = [], 0
    while len(losses) < steps:
        for batch in batches(one.dataset.train, batch=16, drop_last=True, shuffle=True, epoch=epoch):
            losses.append(float(one.step(len(losses), *batch).loss))
        epoch += 1
    return losses


@pytest.mark.parametrize("name", TASKS)
def test_every_task_learns_in_integers_whatever_the_threads(name):
    before, digests = threads(), []
    for count in (1, 3):
        set_threads(count)
        one = session(name, "int8_all_integer")
        losses = train(one, 12)
        digests.append(one.digest())
    set_threads(before)
    assert np.mean(losses[-4:]) < 0.97 * losses[0]
    assert digests[0] == digests[1]
    assert one.inexact == ""
    tested = one.evaluate(one.dataset.test)
    assert set(tested.metrics) == TASKS[name][3]
    assert 0 <= tested.accuracy <= 1
    assert one.digest() == digests[0], "an evaluation changes nothing"


@pytest.mark.parametrize("name", ["detection", "translation"])
def test_the_vector_units_begin_alike(name):
    losses = [train(session(name, accelerator), 1)[0] for accelerator in ("int8_systolic_32x32", "int8_all_integer")]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


def test_translation_reads_the_target_so_far():
    one = session("translation", "int8_all_integer")
    inputs, targets = one.dataset.test.inputs, one.dataset.test.targets
    read = one.task.network_input(inputs, targets)
    assert read.shape[1] == inputs.shape[1] + targets.shape[1] - 1
    # padding neither counts as a sample nor changes the loss
    assert one.evaluate(one.dataset.test).samples == (targets[:, 1:] != 0).sum()


def test_a_run_of_a_recurrent_network_leaves_metrics_and_a_valid_history(tmp_path):
    (tmp_path / "text.txt").write_text("a small text that says the same again and again. " * 12)
    small = ["network_options={width=8, layers=1}", "data.options={window=8}", "batch=16", "epochs=1"]
    resolved = load_recipe("lstm-shakespeare-integer", overrides=small, data_dir=tmp_path / "text.txt")
    directory = RunDirectory.create(tmp_path / "run", resolved)
    summary = Trainer(resolved, directory, stop_after=2).run(make_progress("line"))
    assert summary["test_perplexity"] == pytest.approx(math.exp(summary["test_loss"]))
    last = json.loads(directory.metrics_path.read_text().splitlines()[-1])
    assert {"test_loss", "test_accuracy", "test_perplexity"} <= set(last)
    history = as_history(directory.path / "history.parquet")
    assert {"lstm1.state", "lstm1.inputs"} <= {layer.removeprefix("stack.") for layer in history["layer"]}


def test_a_detector_needs_anchors():
    recipe = load_recipe("lenet5-digits", overrides=["network=unet_small"])
    with pytest.raises(UserError, match="no anchors"):
        Session(recipe, load("shapes-detection", **SMALL), steps=1)


def test_mean_intersection_over_union():
    measure = Confusion(3)
    measure.counts[:2, :2] = [[6, 2], [1, 3]]
    assert measure.result(0.0) == {"mean_iou": (6 / 9 + 3 / 6) / 2}, "a class that never occurs does not count"


def found(*rows: tuple[float, list[int]]) -> Detections:
    return Detections(shares=np.array([[s] for s, _ in rows]), boxes=np.array([b for _, b in rows]))


def test_average_precision_by_hand():
    there = [np.array([[0, 0, 0, 10, 10], [0, 20, 20, 30, 30]]), np.array([[0, 0, 0, 10, 10]])]
    seen = [
        found((0.9, [0, 0, 10, 10]), (0.8, [50, 50, 60, 60]), (0.7, [20, 20, 30, 30])),
        found((0.6, [40, 40, 50, 50])),
    ]
    # right, wrong, right, wrong of three objects: precision 1 up to recall 1/3, 2/3 up to recall 2/3
    assert mean_average_precision(seen, there, 1) == pytest.approx((1 + 2 / 3) / 3)
    # a class that does not occur is left out of the mean
    wide = [Detections(shares=np.pad(s.shares, ((0, 0), (0, 1))), boxes=s.boxes) for s in seen]
    assert mean_average_precision(wide, there, 2) == pytest.approx((1 + 2 / 3) / 3)


def test_an_object_is_found_once():
    there = [np.array([[0, 0, 0, 10, 10]])]
    twice = [found((0.9, [0, 0, 10, 10]), (0.8, [0, 0, 10, 10]), (0.7, [0, 0, 10, 14]))]
    assert mean_average_precision(twice, there, 1) == 1.0
    shifted = [found((0.9, [0, 6, 10, 16]), (0.8, [0, 0, 10, 10]))]
    assert mean_average_precision(shifted, there, 1) == pytest.approx(0.5)
