"""Data as integers: loaders, deterministic order, augmentation."""

from fxpsim.data import cifar, digits, generated, mnist, npz, openml, text  # noqa: F401  (each enters its data sets)
from fxpsim.data.augment import Augmentation
from fxpsim.data.batches import Batch, batch_count, batches
from fxpsim.data.dataset import Dataset, InputKind, Split, Task
from fxpsim.data.registry import datasets, load

__all__ = [
    "Augmentation",
    "Batch",
    "Dataset",
    "InputKind",
    "Split",
    "Task",
    "batch_count",
    "batches",
    "datasets",
    "load",
]
