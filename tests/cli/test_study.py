"""Study files: what they expand to, what decides that a run is the same, and what is refused."""

import pytest

from fxpsim import shipped
from fxpsim.cli.study import fingerprint, load_study, plan
from fxpsim.errors import UserError
from fxpsim.train import RunDirectory, load_recipe

HEAD = 'name = "s"\ndescription = "d"\nseeds = [1, 2]\n'


def planned(folder, text):
    path = folder / "s.toml"
    path.write_text(HEAD + text)
    return plan(*load_study(str(path)))


def test_every_combination_is_a_run(tmp_path):
    runs = planned(
        tmp_path,
        '[[group]]\nrecipes = ["lenet5-digits"]\nmethods = ["float32", "int8"]\nsettings = ["epochs=3"]\n'
        'vary = { batch = [16, 32], "optimizer.name" = ["sgd"] }\n',
    )
    assert len(runs) == 2 * 2 * 2
    assert len({run.name for run in runs}) == 8
    assert runs[0].name == "lenet5-digits--float32--batch-16--name-sgd--seed1"
    assert {run.resolved.recipe.batch for run in runs} == {16, 32}
    assert {run.resolved.method.name for run in runs} == {"float32", "int8"}
    assert {run.resolved.recipe.seed for run in runs} == {1, 2}
    assert all(run.resolved.recipe.epochs == 3 for run in runs)
    assert runs[0].variant == "batch 16, name sgd"


def test_a_recipe_beside_the_study_is_found_from_anywhere(tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text(shipped.find("recipes", "lenet5-digits").read_text())
    monkeypatch.chdir("/")
    runs = planned(tmp_path, '[[group]]\nrecipes = ["mine.toml"]\n')
    assert [run.name for run in runs] == ["mine--seed1", "mine--seed2"]


def test_every_data_set_may_have_a_folder_of_its_own(tmp_path):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "s.toml").write_text(HEAD + '[[group]]\nrecipes = ["lenet5-mnist", "resnet20-cifar10"]\n')
    runs = plan(*load_study(str(tmp_path / "s.toml")), data_dir=tmp_path)
    assert [run.data_dir for run in runs] == [tmp_path / "mnist"] * 2 + [tmp_path] * 2
    assert runs[0].resolved.recipe.data.dir == str(tmp_path / "mnist")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[group]]\nrecipes = ["lenet5-digit"]\n', "lenet5-digits"),
        ('[[group]]\nrecipes = ["lenet5-digits"]\nmethod = ["int8"]\n', "methods"),
        ('[[group]]\nrecipes = ["lenet5-digits"]\nsettings = ["epoch=1"]\n', "epochs"),
        ('[[group]]\nrecipes = ["lenet5-digits"]\n[[group]]\nrecipes = ["lenet5-digits"]\n', "label"),
        ("group = []\n", "at least 1"),
        ('accelerators = ["int8_systolic"]\n[[group]]\nrecipes = ["lenet5-digits"]\n', "int8_systolic_32x32"),
        ('accelerators = ["dynasty_like mac_array.row=1"]\n[[group]]\nrecipes = ["lenet5-digits"]\n', "rows"),
        ('reference = "int9"\n[[group]]\nrecipes = ["lenet5-digits"]\nmethods = ["int8"]\n', "int8"),
    ],
)
def test_mistakes_are_found_before_anything_runs(tmp_path, text, says):
    with pytest.raises(UserError, match=says):
        planned(tmp_path, text)


def test_a_label_tells_groups_apart(tmp_path):
    group = '[[group]]\nrecipes = ["lenet5-digits"]\n'
    runs = planned(tmp_path, group + group + 'label = "again"\n')
    assert [run.name for run in runs[1:3]] == ["lenet5-digits--seed2", "again--lenet5-digits--seed1"]


def test_a_run_directory_has_the_fingerprint_of_its_recipe(tmp_path):
    resolved = load_recipe("lenet5-digits", overrides=["method.streams.weight.word_bits=6"], data_dir=tmp_path)
    directory = RunDirectory.create(tmp_path / "run", resolved)
    assert fingerprint(directory.recipe()) == fingerprint(resolved)
    assert fingerprint(resolved) != fingerprint(load_recipe("lenet5-digits"))


@pytest.mark.parametrize("override", ["batch=7", "method=float32", "accelerator.frequency_mhz=1", "network=mlp"])
def test_whatever_may_change_bits_or_prices_changes_the_fingerprint(override):
    assert fingerprint(load_recipe("lenet5-digits", overrides=[override])) != fingerprint(load_recipe("lenet5-digits"))


@pytest.mark.parametrize(
    "override", ["description=x", "method.description=x", "method.source=x", "accelerator.source=x"]
)
def test_words_do_not_change_the_fingerprint(override):
    assert fingerprint(load_recipe("lenet5-digits", overrides=[override])) == fingerprint(load_recipe("lenet5-digits"))


@pytest.mark.parametrize("name", shipped.names("studies"))
def test_shipped_studies_can_be_planned(name):
    study, path = load_study(name)
    runs = plan(study, path)
    assert study.name == name
    assert len(runs) >= 2


def test_the_study_of_methods_has_all_of_them():
    """But those whose constants are made for another network."""
    runs = plan(*load_study("methods-mnist"))
    others = {"adept-alexnet", "adept-resnet20", "adept-resnet20-cifar100"}
    assert {run.resolved.method.name for run in runs} == set(shipped.names("methods")) - others
