"""Names and options of data sets."""

import subprocess
import sys

import pytest

from fxpsim.data import datasets, load
from fxpsim.errors import UserError


def test_every_promised_name_is_there():
    promised = {"digits", "mnist", "fashion-mnist", "cifar10", "cifar100", "text", "npz", "openml"}
    assert promised | {
        "shapes-segmentation",
        "shapes-detection",
        "sequence-translation",
        "polynomial-regression",
    } == set(datasets)


def test_unknown_name():
    with pytest.raises(UserError, match="did you mean 'mnist'"):
        load("minist")


def test_unknown_option(refused):
    assert "did you mean 'window'" in refused(load, "text", windows=3)


def test_missing_option(refused):
    assert "dataset" in refused(load, "openml")


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10", "cifar100", "text", "npz"])
def test_every_set_that_reads_files_says_so(name, refused):
    assert "data directory" in refused(load, name)


def test_importing_loads_neither_scikit_learn_nor_pandas():
    code = "import sys, fxpsim.data; print({'sklearn', 'pandas', 'numba', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
