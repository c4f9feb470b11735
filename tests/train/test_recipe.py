"""Recipes: strict, resolved, changed from the command line."""

import pytest

from fxpsim import shipped
from fxpsim.errors import UserError
from fxpsim.train import RunDirectory, load_recipe


def test_overrides_reach_recipe_method_and_accelerator():
    resolved = load_recipe(
        "lenet5-digits",
        overrides=[
            "optimizer.learning_rate=0.01",
            "method.streams.weight.word_bits=6",
            "accelerator.mac_array.accumulator.word_bits=24",
        ],
    )
    assert resolved.recipe.optimizer["learning_rate"] == 0.01
    assert resolved.method.streams["weight"]["word_bits"] == 6
    assert resolved.accelerator.mac_array.accumulator.word_bits == 24


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("epochs", "KEY=VALUE"),
        ("epoch=3", "did you mean 'epochs'"),
        ("epochs=0", "epochs"),
        ("method.stream.weight.word_bits=3", "did you mean 'streams'"),
        ("accelerator.mac_array.row=3", "did you mean 'rows'"),
        ("epochs.more=3", "not a table"),
        ("method=int9", "did you mean 'int8'"),
    ],
)
def test_a_mistake_in_an_override(override, text):
    with pytest.raises(UserError, match=text):
        load_recipe("lenet5-digits", overrides=[override])


@pytest.mark.parametrize("name", shipped.names("recipes"))
def test_every_shipped_recipe_is_valid_and_named_after_its_file(name):
    resolved = load_recipe(name)
    assert resolved.recipe.name == name
    assert resolved.network_file.is_file()


@pytest.mark.parametrize("name", shipped.names("methods"))
def test_every_shipped_method_is_valid_and_named_after_its_file(name):
    assert load_recipe("lenet5-digits", overrides=[f"method={name}"]).method.name == name


def test_a_run_directory_repeats_its_recipe(tmp_path):
    resolved = load_recipe("lenet5-digits", overrides=["method.streams.error.word_bits=5", "seed=9"], data_dir=tmp_path)
    again = RunDirectory.create(tmp_path / "run", resolved).recipe()
    changed = ("network", "method", "accelerator")  # these now name the run's own copies
    first, second = (r.recipe.model_dump(exclude=set(changed)) for r in (resolved, again))
    assert first == second
    assert again.method == resolved.method
    assert again.accelerator == resolved.accelerator
    assert again.network_file.read_text() == resolved.network_file.read_text()
