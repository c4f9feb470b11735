"""Data sets of openml.org by name, where there is a network (scikit-learn fetches and caches them)."""

from pathlib import Path
from typing import Any

import numpy as np

from fxpsim.data.arrays import classification
from fxpsim.data.dataset import Dataset
from fxpsim.data.registry import datasets
from fxpsim.errors import UserError


@datasets.register("openml")
def openml(data_dir: Path | None = None, *, dataset: str, version: int | str = "active", shape: Any = None) -> Dataset:
    """Return an OpenML classification set; every fifth sample of each class is held out.

    Parameters
    ----------
    data_dir : Path, optional
        Where scikit-learn keeps what it has fetched; its own folder where not given.
    dataset : str
        Name on openml.org; ``load("openml:mnist_784")`` fills it in.
    version : int or str
        Version on openml.org.
    shape : sequence of int, optional
        (H, W, C), to read the features as 8-bit images.
    """
    from sklearn.datasets import fetch_openml

    cache: Any = data_dir  # scikit-learn's own annotation leaves out None
    try:
        bunch: Any = fetch_openml(name=dataset, version=version, as_frame=False, data_home=cache)
    except (OSError, ValueError) as error:  # no network; no such data set
        raise UserError(
            f"OpenML does not deliver {dataset!r}: {error}",
            where="openml.org",
            expected="a network connection, and the name of an active data set",
            remedy="check both; or load the data from files (data set 'npz')",
        ) from error
    inputs = bunch.data.toarray() if hasattr(bunch.data, "toarray") else np.asarray(bunch.data)
    return classification(
        f"openml:{dataset}", inputs, np.asarray(bunch.target), shape=shape, source=f"openml.org: {dataset}"
    )
