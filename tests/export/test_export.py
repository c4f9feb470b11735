"""What ``fxpsim export`` writes of a trained run, executed again with plain integers."""

import itertools
import json

import numpy as np
import pytest
from safetensors import safe_open

from fxpsim.cli.export import export
from fxpsim.errors import UserError
from fxpsim.train import RunDirectory, Trainer, load_recipe, make_progress

SHORT = ["data.options.train_limit=64", "data.options.test_limit=32", "epochs=1"]


def trained(folder, *overrides):
    resolved = load_recipe("lenet5-digits", overrides=[*SHORT, *overrides])
    Trainer(resolved, RunDirectory.create(folder, resolved)).run(make_progress("off"))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("export") / "run")


def read(folder, described):
    (name,) = [file for file in described["files"] if file.endswith(".mem")]
    codes = [int(word, 16) for word in (folder / name).read_text().split()[1:]]
    bits = described["word_bits"]
    if described["signed"]:
        codes = [code - (1 << bits) if code >> (bits - 1) else code for code in codes]
    return np.array(codes, dtype=object).reshape(described["shape"])


def executed_again(entry, a, b):
    """Multiply with Python integers; the accumulator of this accelerator is wide enough not to overflow."""
    if entry["operation"] == "matmul":
        return a @ b
    (rows, columns, _, filters), samples = b.shape, a.shape[0]
    stride, padding = entry["attributes"]["stride"], entry["attributes"]["padding"]
    stride, padding = ([each, each] if isinstance(each, int) else each for each in (stride, padding))
    a = np.pad(a, ((0, 0), *((each, each) for each in padding), (0, 0)))
    shape = [(a.shape[1 + i] - b.shape[i]) // stride[i] + 1 for i in (0, 1)]
    out = np.zeros((samples, *shape, filters), dtype=object)
    for y, x in itertools.product(*map(range, shape)):
        window = a[:, y * stride[0] :, x * stride[1] :][:, :rows, :columns]
        out[:, y, x] = window.reshape(samples, -1) @ b.reshape(-1, filters)
    return out


def test_vectors_are_the_products_of_the_run(run, tmp_path):
    export(run, "vectors", tmp_path, 2)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert [entry["layer"] for entry in manifest["products"]] == ["conv1", "conv2", "fc1", "fc2", "fc3"]
    assert manifest["accumulator"]["word_bits"] == 32
    for entry in manifest["products"]:
        a, b, out = (read(tmp_path, entry[place]) for place in ("a", "b", "out"))
        assert a.shape[0] == 2
        assert entry["out"]["frac_bits"] == entry["a"]["frac_bits"] + entry["b"]["frac_bits"]
        assert (executed_again(entry, a, b) == out).all()
        assert (out != 0).any()


def test_memory_holds_the_weights_of_the_vectors(run, tmp_path):
    export(run, "memory", tmp_path / "memory", 1)
    export(run, "vectors", tmp_path / "vectors", 1)
    weights = json.loads((tmp_path / "memory" / "manifest.json").read_text())["weights"]
    products = json.loads((tmp_path / "vectors" / "manifest.json").read_text())["products"]
    for weight, product in zip(weights, products, strict=True):
        assert {file.rpartition(".")[2] for file in weight["files"]} == {"mem", "hex", "coe"}
        ours, theirs = read(tmp_path / "memory", weight), read(tmp_path / "vectors", product["b"])
        assert (ours == theirs).all()
        assert weight["word_bits"] == 8


def test_weights_for_other_software(run, tmp_path):
    export(run, "weights", tmp_path, 1)
    with safe_open(tmp_path / "weights.safetensors", "np") as file:
        names, about = set(file.keys()), file.metadata()
        master, codes = file.get_tensor("fc1.weight"), file.get_tensor("fc1.weight.codes")
    assert {"conv1.weight", "conv1.bias", "conv1.weight.codes"} <= names
    step = 2.0 ** -int(about["fc1.weight.codes.frac_bits"])
    assert about["fc1.weight.codes.word_bits"] == "8"
    assert np.abs(codes * step - master).max() <= step, "the codes are the rounded (or saturated) master weights"


def test_a_float_run_has_weights_but_no_codes(tmp_path):
    run = trained(tmp_path / "run", "method=float32")
    with pytest.raises(UserError, match="multiplies integer codes"):
        export(run, "memory", tmp_path / "out", 1)
    export(run, "weights", tmp_path / "out", 1)
    with safe_open(tmp_path / "out" / "weights.safetensors", "np") as file:
        assert not [name for name in file.keys() if name.endswith("codes")]  # noqa: SIM118


def test_mistakes(run, tmp_path):
    with pytest.raises(UserError, match="unknown kind of export 'memry'"):
        export(run, "memry", tmp_path, 1)
    with pytest.raises(UserError, match="no run directory"):
        export(tmp_path, "memory", None, 1)
