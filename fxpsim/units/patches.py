"""Convolutions of codes as matrix products of patches, for codes that the array's own kernels cannot multiply."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxpsim.errors import UserError
from fxpsim.kernels.mac.geometry import Convolution, convolution


def matmul_of(
    operation: str, a: np.ndarray, b: np.ndarray, attributes: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the two matrices whose product is the operation (for the input gradient: before patches are added)."""
    if operation == "matmul":
        left = a.T if attributes.get("transpose_a") else a
        right = b.T if attributes.get("transpose_b") else b
        return np.ascontiguousarray(left), np.ascontiguousarray(right)
    shape = _geometry(operation, a.shape, b.shape, attributes)
    match operation:
        case "conv2d":
            return _patches(a, shape).reshape(-1, b[..., 0].size), b.reshape(-1, b.shape[3])
        case "conv2d_input_grad":
            return a.reshape(-1, a.shape[3]), np.ascontiguousarray(b.reshape(-1, b.shape[3]).T)
    patches = _patches(a, shape).reshape(-1, shape.kernel_height * shape.kernel_width * shape.channels)
    return np.ascontiguousarray(patches.T), b.reshape(-1, b.shape[3])


def result_of(
    operation: str, sums: np.ndarray, a: tuple[int, ...], b: tuple[int, ...], attributes: dict[str, Any]
) -> np.ndarray:
    """Return the operation's result from the product of the matrices of :func:`matmul_of`."""
    if operation == "matmul":
        return sums
    shape = _geometry(operation, a, b, attributes)
    match operation:
        case "conv2d":
            return sums.reshape(shape.out_shape)
        case "conv2d_weight_grad":
            return sums.reshape(attributes["kernel_shape"])
    (top, bottom), (left, right) = shape.padding
    padded = np.zeros(
        (shape.images, shape.height + top + bottom, shape.width + left + right, shape.channels), sums.dtype
    )
    parts = sums.reshape(
        shape.images, shape.out_height, shape.out_width, shape.kernel_height, shape.kernel_width, shape.channels
    )
    for r, s, rows, columns in _taps(shape):
        padded[:, rows, columns] += parts[:, :, :, r, s]
    return padded[:, top : top + shape.height, left : left + shape.width]


def _patches(x: np.ndarray, shape: Convolution) -> np.ndarray:
    padded = np.pad(x, ((0, 0), *shape.padding, (0, 0)))
    size = (shape.images, shape.out_height, shape.out_width, shape.kernel_height, shape.kernel_width, shape.channels)
    out = np.empty(size, x.dtype)
    for r, s, rows, columns in _taps(shape):
        out[:, :, :, r, s] = padded[:, rows, columns]
    return out


def _taps(shape: Convolution) -> list[tuple[int, int, slice, slice]]:
    """Return the kernel positions, and the padded rows and columns that each visits."""
    taps = []
    for r in range(shape.kernel_height):
        for s in range(shape.kernel_width):
            first, left = r * shape.dilation[0], s * shape.dilation[1]
            rows = slice(first, first + shape.out_height * shape.stride[0], shape.stride[0])
            taps.append((r, s, rows, slice(left, left + shape.out_width * shape.stride[1], shape.stride[1])))
    return taps


def _geometry(operation: str, a: tuple[int, ...], b: tuple[int, ...], attributes: dict[str, Any]) -> Convolution:
    window = {key: value for key, value in attributes.items() if key not in ("input_shape", "kernel_shape")}
    if window.get("groups", 1) > 1:
        raise UserError(
            "a grouped convolution of codes that multiply by a rule of their own",
            where=operation,
            expected="one group",
            remedy="use another quantizer for this network",
        )
    match operation:
        case "conv2d":
            return convolution(a, b, **window)
        case "conv2d_input_grad":
            return convolution(tuple(attributes["input_shape"]), b, **window)
    return convolution(a, tuple(attributes["kernel_shape"]), **window)
