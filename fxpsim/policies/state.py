"""Policy states as JSON: arrays become base64, rationals pairs of integers; both come back exactly."""

from __future__ import annotations

import base64
from fractions import Fraction
from typing import Any

import numpy as np

KEY = "base64"
RATIO = "ratio"


def to_json(state: Any) -> Any:
    """Return a state as values that JSON can hold.

    >>> to_json({"sum": np.array([1, 2], np.int16)})
    {'sum': {'base64': 'AQACAA==', 'dtype': '<i2', 'shape': [2]}}
    """
    if isinstance(state, np.ndarray):
        fixed = np.ascontiguousarray(state.astype(state.dtype.newbyteorder("<"), copy=False))
        text = base64.b64encode(fixed.tobytes()).decode()
        return {KEY: text, "dtype": fixed.dtype.str, "shape": list(state.shape)}
    if isinstance(state, Fraction):
        return {RATIO: [state.numerator, state.denominator]}
    if isinstance(state, dict):
        return {key: to_json(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return [to_json(value) for value in state]
    return state


def from_json(data: Any) -> Any:
    """Return the state that :func:`to_json` was given.

    >>> from_json(to_json({"sum": np.array([1, 2], np.int16)}))["sum"].tolist()
    [1, 2]
    """
    if isinstance(data, dict):
        if KEY in data:
            return np.frombuffer(base64.b64decode(data[KEY]), data["dtype"]).reshape(data["shape"]).copy()
        if RATIO in data:
            return Fraction(*data[RATIO])
        return {key: from_json(value) for key, value in data.items()}
    return [from_json(value) for value in data] if isinstance(data, list) else data
