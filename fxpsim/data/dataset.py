"""What a data set is: integer codes, targets, and how to read the codes."""

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from fxpsim.data.scaling import integer_scaling


class InputKind(StrEnum):
    """What the elements of an input are."""

    IMAGE = "image"  # uint8 pixels, (N, H, W, C)
    FEATURES = "features"  # uint8 numbers, (N, F)
    TOKENS = "tokens"  # int32 positions in a vocabulary, (N, T)


class Task(StrEnum):
    """What is to be learnt, and so what the targets are."""

    CLASSIFICATION = "classification"  # int32 (N,): class
    SEGMENTATION = "segmentation"  # int32 (N, H, W): class of each pixel
    DETECTION = "detection"  # int32 (N, objects, 5): class (-1: none), top, left, bottom, right in pixels
    NEXT_TOKEN = "next_token"  # int32 (N, T): the token that follows each input token
    TRANSLATION = "translation"  # int32 (N, U): the other sentence with its begin and end marks
    REGRESSION = "regression"  # int32 (N, K): codes of numbers, read with the data set's ``target_frac_bits``


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Samples and their targets, first axis the sample.

    Parameters
    ----------
    inputs : numpy.ndarray
        Integer codes: uint8 images (N, H, W, C), uint8 features (N, F) or int32 tokens (N, T).
    targets : numpy.ndarray
        int32; the shape that the task says.

    Examples
    --------
    >>> len(Split(inputs=np.zeros((3, 2, 2, 1), np.uint8), targets=np.zeros(3, np.int32)))
    3
    """

    inputs: np.ndarray
    targets: np.ndarray

    def __post_init__(self) -> None:
        assert len(self.inputs) == len(self.targets), "as many inputs as targets"

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        return f"Split(inputs={self.inputs.dtype}{self.inputs.shape}, targets={self.targets.dtype}{self.targets.shape})"

    def head(self, size: int | None) -> "Split":
        """Return the first ``size`` samples; all of them for None."""
        return self if size is None else Split(inputs=self.inputs[:size], targets=self.targets[:size])


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    r"""Training and test samples as integers.

    The value of an image or feature element is

    .. math:: v = (c - o_{channel}) \, 2^{-f}

    with the code :math:`c` (uint8), an integer offset :math:`o` per channel (``input_offset``) and one fraction length
    :math:`f` (``input_frac_bits``). Normalization is thus a subtraction of integers and a power of two: a float32 run
    and an all-integer run see exactly the same inputs.

    Parameters
    ----------
    name : str
        The name it was loaded by.
    train, test : Split
        Samples to learn from, and held-out ones.
    classes : int
        Number of classes of a target; the vocabulary's size for tokens, the numbers of a sample for regression.
    kind : InputKind
        What an input element is.
    task : Task
        What the targets are.
    input_offset : numpy.ndarray
        int16 (C,) or (F,): integer mean of each channel; empty for tokens.
    input_frac_bits : int
        Fraction length of the codes less their offset; 0 for tokens.
    class_names : tuple of str
        Name of each class, or the vocabulary; empty where unknown.
    source : str
        Where the samples came from, in words.
    target_frac_bits : int
        Fraction length of the targets of a regression; 0 otherwise.

    Examples
    --------
    >>> images = Split(inputs=np.array([[[[7]]], [[[9]]]], np.uint8), targets=np.array([0, 1], np.int32))
    >>> data = Dataset(name="two", train=images, test=images, classes=2, kind=InputKind.IMAGE,
    ...                task=Task.CLASSIFICATION, input_offset=np.array([8], np.int16), input_frac_bits=1)
    >>> data.encode(images.inputs).ravel().tolist(), data.values(images.inputs).ravel().tolist()
    ([-1, 1], [-0.5, 0.5])
    """

    name: str
    train: Split
    test: Split
    classes: int
    kind: InputKind
    task: Task
    input_offset: np.ndarray
    input_frac_bits: int
    class_names: tuple[str, ...] = ()
    source: str = ""
    target_frac_bits: int = 0

    @classmethod
    def scaled(cls, *, train: Split, **fields: Any) -> "Dataset":
        """Return a data set of images or features whose offset and fraction length follow from ``train``."""
        offset, frac_bits = integer_scaling(train.inputs)
        return cls(train=train, input_offset=offset, input_frac_bits=frac_bits, **fields)

    @classmethod
    def of_tokens(cls, **fields: Any) -> "Dataset":
        """Return a data set of tokens, which have neither offset nor fraction length."""
        return cls(kind=InputKind.TOKENS, input_offset=np.zeros(0, np.int16), input_frac_bits=0, **fields)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input: (H, W, C), (F,) or (T,)."""
        return self.train.inputs.shape[1:]

    def encode(self, inputs: np.ndarray) -> np.ndarray:
        """Return the int16 codes ``inputs - offset``, to be read as ``code * 2**-input_frac_bits``.

        Tokens are names and not numbers: they come back as they are (int32).
        """
        if self.kind is InputKind.TOKENS:
            return inputs
        return np.subtract(inputs, self.input_offset, dtype=np.int16)

    def values(self, inputs: np.ndarray) -> np.ndarray:
        """Return the float64 values of ``inputs``; exact."""
        return np.ldexp(self.encode(inputs).astype(np.float64), -self.input_frac_bits)

    def head(self, *, train: int | None = None, test: int | None = None) -> "Dataset":
        """Return the same data set with only the first samples of each split; offset and fraction length stay."""
        return replace(self, train=self.train.head(train), test=self.test.head(test))

    def fingerprint(self) -> str:
        """Return the SHA-256 (hex) of all samples, targets and the reading of the codes."""
        digest = hashlib.sha256(f"{self.kind} {self.task} {self.classes} {self.input_frac_bits}".encode())
        if self.target_frac_bits:
            digest.update(f"{self.target_frac_bits}".encode())
        for array in (self.input_offset, self.train.inputs, self.train.targets, self.test.inputs, self.test.targets):
            digest.update(f"{array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()
