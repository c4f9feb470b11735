"""Pickles of arrays and strings, read without trusting them.

A pickle is a program that may call anything it can name. This reader lets it name only what a NumPy array is stored
with, and hands it stand-ins of our own for that: nothing of NumPy and nothing of the system can be reached, and the
arrays are built afterwards from the raw bytes, with element types out of a short list.
"""

import math
import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from fxpsim.data.files import read_bytes
from fxpsim.errors import UserError

_ELEMENTS = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", "b1")


class _Type:
    """Stand-in for numpy.dtype: remembers name and byte order."""

    __slots__ = ("name", "order")

    def __init__(self, name: object = "", *_: object) -> None:
        self.name, self.order = name, "|"

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]

    def resolve(self) -> np.dtype:
        order = self.order.decode() if isinstance(self.order, bytes) else self.order
        name = self.name.decode() if isinstance(self.name, bytes) else self.name
        if name not in _ELEMENTS or order not in ("|", "<", ">", "="):
            raise pickle.UnpicklingError(f"array elements of type {name!r}")
        return np.dtype(f"{order}{name}")


class _Array:
    """Stand-in for numpy.ndarray: remembers shape, element type and bytes."""

    __slots__ = ("state",)

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def resolve(self) -> np.ndarray:
        _, shape, element, fortran, raw = self.state
        array = np.frombuffer(raw, element.resolve())
        if array.size != math.prod(shape):
            raise pickle.UnpicklingError(f"{array.size} elements for an array of shape {shape}")
        return array.reshape(shape, order="F" if fortran else "C")


def _frombuffer(raw: Any, element: Any, shape: Any, order: str) -> _Array:
    """Stand-in for the function that protocol 5 stores an array with."""
    array = _Array()
    array.state = (1, shape, element, order == "F", bytes(raw))
    return array


class _Callable:
    """What the pickle may call; has no attribute that a pickle could change."""

    __slots__ = ("_make",)

    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self, *arguments: object) -> object:
        return self._make(*arguments)


def _text(value: str, encoding: str) -> bytes:
    """Stand-in for _codecs.encode, with which protocol 2 stores bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in the encoding {encoding!r}")
    return value.encode("latin1")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        match module_name, global_name:
            case (("numpy.core.multiarray" | "numpy._core.multiarray"), "_reconstruct"):
                return _Callable(lambda *_: _Array())
            case (("numpy.core.numeric" | "numpy._core.numeric"), "_frombuffer"):
                return _Callable(_frombuffer)
            case "numpy", "ndarray":
                return "numpy.ndarray"  # only ever an argument of _reconstruct
            case "numpy", "dtype":
                return _Callable(_Type)
            case "_codecs", "encode":
                return _Callable(_text)
        raise pickle.UnpicklingError(f"the pickle asks for {module_name}.{global_name}")


def read_pickle(path: Path) -> dict[str, Any]:
    """Read a pickled dictionary of arrays, numbers, strings and lists of them (plain, .gz or .xz).

    Returns
    -------
    dict
        Keys as text; arrays as read-only numpy arrays; strings of Python 2 as bytes.

    Raises
    ------
    UserError
        If the pickle is damaged, asks for anything but arrays and strings, or is no dictionary.
    """
    raw = read_bytes(path)
    try:
        content = _Unpickler(BytesIO(raw), encoding="bytes").load()
        if not isinstance(content, dict):
            raise pickle.UnpicklingError(f"the pickle holds a {type(content).__name__}")
        return {_key(key): _resolved(value) for key, value in content.items()}
    except Exception as error:  # a damaged pickle can raise anything: IndexError, MemoryError, KeyError, ...
        raise UserError(
            f"not a pickle that can be read safely: {error or type(error).__name__}",
            where=str(path),
            expected="a pickled dictionary of arrays and strings",
            remedy="the file is damaged or not what it is named after: fetch it again",
        ) from error


def _key(key: object) -> str:
    return key.decode("latin1") if isinstance(key, bytes) else str(key)


def _resolved(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.resolve()
    if isinstance(value, list):
        return [_resolved(element) for element in value]
    if isinstance(value, (_Type, _Callable)):
        raise pickle.UnpicklingError(f"a {type(value).__name__} where an array or a string should be")
    return value
