"""One operation of the MAC array, ready for any lane: tables, operands and the shape of the result."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fxpsim.errors import UserError
from fxpsim.kernels.mac import tables
from fxpsim.kernels.mac.geometry import Convolution, convolution


@dataclass(frozen=True, kw_only=True)
class Task:
    """``out[m, n] = sum over k of a * b``, once per group.

    Parameters
    ----------
    kind : str
        ``product``, ``forward``, ``input_grad`` or ``weight_grad``.
    contraction : Contraction
        The tables.
    a : ndarray, (images, height, width, channels)
        The operand that lies in the frame.
    b : sequence of ndarray
        The other operand as a (K, N) matrix, for each group.
    shape : tuple of int
        Shape of the result; its last axis holds the columns of all groups.
    geometry : Convolution or None
        The convolution's geometry; None for a matrix product.
    transposed : bool
        Whether a matrix product finds a stored transposed.
    """

    kind: str
    contraction: tables.Contraction
    a: np.ndarray
    b: Sequence[np.ndarray]
    shape: tuple[int, ...]
    geometry: Convolution | None = None
    transposed: bool = False

    def for_group(self, group: int) -> tables.Contraction:
        """Return the tables for an instruction that contracts ``group`` consecutive elements of a.

        Where k runs across the image (weight gradients, transposed operands) the image must then be planar.
        """
        if group == 1:
            return self.contraction
        if self.kind == "weight_grad" and self.geometry is not None:
            return tables.weight_grad(self.geometry, planar=True)
        if self.kind == "product" and self.transposed:
            return tables.product(self.m, self.k, True, planar=True)
        return self.contraction

    @property
    def m(self) -> int:
        """Rows of the result, as a matrix."""
        return self.contraction.rows.size

    @property
    def k(self) -> int:
        """Products per result."""
        return self.contraction.cols.size

    @property
    def n(self) -> int:
        """Columns of one group."""
        return self.b[0].shape[1]


def matmul_task(a: np.ndarray, b: np.ndarray, transpose_a: bool, transpose_b: bool) -> Task:
    """Prepare a (transposed) matrix product."""
    if a.ndim != 2 or b.ndim != 2:
        raise UserError(f"shapes {a.shape} and {b.shape}", where="matmul", expected="two matrices")
    k, m = a.shape if transpose_a else a.shape[::-1]
    b = b.T if transpose_b else b
    if b.shape[0] != k:
        raise UserError(
            f"a has {k} columns and b has {b.shape[0]} rows", where="matmul", expected="equal inner dimensions"
        )
    contraction = tables.product(m, k, transpose_a)
    image = np.ascontiguousarray(a).reshape(1, 1, *a.shape)
    b = np.ascontiguousarray(b)
    shape = (m, b.shape[1])
    return Task(kind="product", contraction=contraction, a=image, b=(b,), shape=shape, transposed=transpose_a)


def _expect(array: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    if array.shape != shape:
        raise UserError(f"{name} has shape {array.shape}", where="conv2d", expected=str(shape))
    return np.ascontiguousarray(array)


class Columns(Sequence[np.ndarray]):
    """The columns of each group of a matrix, copied when somebody asks for them.

    Parameters
    ----------
    matrix : ndarray, (K, columns of all groups)
    groups : int
    """

    def __init__(self, matrix: np.ndarray, groups: int) -> None:
        self.matrix, self.width = matrix, matrix.shape[1] // groups
        self._parts: list[np.ndarray | None] = [None] * groups

    def __len__(self) -> int:
        """Return the number of groups."""
        return len(self._parts)

    def __getitem__(self, index: Any) -> Any:
        """Return the columns of a group, or a list of those of several."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        part = self._parts[index]
        if part is None:
            first = index % len(self) * self.width
            part = self._parts[index] = np.ascontiguousarray(self.matrix[:, first : first + self.width])
        return part


def forward_task(x: np.ndarray, w: np.ndarray, **window: Any) -> Task:
    """Prepare a convolution."""
    g = convolution(x.shape, w.shape, **window)
    flat = np.ascontiguousarray(w).reshape(-1, g.out_channels)
    b = Columns(flat, g.groups)
    x = np.ascontiguousarray(x)
    return Task(kind="forward", contraction=tables.forward(g), a=x, b=b, shape=g.out_shape, geometry=g)


def input_grad_task(e: np.ndarray, w: np.ndarray, input_shape: tuple[int, ...], **window: Any) -> Task:
    """Prepare the gradient of a convolution with respect to its input."""
    g = convolution(tuple(input_shape), w.shape, **window)
    e = _expect(e, g.out_shape, "error")
    # (r, s, c, group, k) -> (r, s, k), (group, c)
    turned = w.reshape(*w.shape[:3], g.groups, g.group_out_channels).transpose(0, 1, 4, 3, 2)
    b = Columns(turned.reshape(-1, g.channels), g.groups)
    return Task(kind="input_grad", contraction=tables.input_grad(g), a=e, b=b, shape=tuple(input_shape), geometry=g)


def weight_grad_task(x: np.ndarray, e: np.ndarray, kernel_shape: tuple[int, ...], **window: Any) -> Task:
    """Prepare the gradient of a convolution with respect to its kernel."""
    g = convolution(x.shape, tuple(kernel_shape), **window)
    flat = _expect(e, g.out_shape, "error").reshape(-1, g.out_channels)
    b = Columns(flat, g.groups)
    x = np.ascontiguousarray(x)
    return Task(kind="weight_grad", contraction=tables.weight_grad(g), a=x, b=b, shape=tuple(kernel_shape), geometry=g)


def _together(task: Task, groups: int, columns: int) -> int:
    """Return how many neighboring groups fill a register: a divisor of their number."""
    return max(d for d in range(1, groups + 1) if groups % d == 0 and (d == 1 or d * task.n <= columns))


def merged(task: Task, columns: int) -> Task:
    """Return the task with neighboring groups made one, so that they fill a register of ``columns`` columns.

    The other operand becomes block-diagonal. Its zeros make products that the original does not have, which changes no
    sum and no prefix of one, but the flat indices k: random words and chunks must not depend on those. A weight
    gradient stays as it is (it would have results between groups).
    """
    g = task.geometry
    if g is None or task.kind == "weight_grad":
        return task
    together = _together(task, g.groups, columns)
    if together == 1:
        return task
    taps = g.kernel_height * g.kernel_width
    depth = task.k // taps
    blocks = []
    for first in range(0, g.groups, together):
        block = np.zeros((taps, together * depth, together * task.n), task.b[0].dtype)
        for i in range(together):
            rows, cols = slice(i * depth, (i + 1) * depth), slice(i * task.n, (i + 1) * task.n)
            block[:, rows, cols] = task.b[first + i].reshape(taps, depth, task.n)
        blocks.append(block.reshape(-1, block.shape[2]))
    wide = replace(g, groups=g.groups // together)
    contraction = tables.forward(wide) if task.kind == "forward" else tables.input_grad(wide)
    return replace(task, contraction=contraction, b=tuple(blocks), geometry=wide)


def side_by_side(task: Task) -> np.ndarray | None:
    """Return b of all groups side by side, where each has one channel on either side (depthwise); else None."""
    g = task.geometry
    if g is None or g.groups == 1 or not g.group_channels == g.group_out_channels == 1:
        return None
    return task.b.matrix if isinstance(task.b, Columns) else None


def gathered(task: Task, columns: int) -> Task | None:
    """Return the weight gradient with neighboring groups made one; None where none can be.

    Every input channel of a few groups meets every output channel of them: more results than the task has, side by
    side in a register that would be almost empty. :func:`own_results` picks those that belong to a group.
    """
    g = task.geometry
    together = _together(task, g.groups, columns) if g is not None and task.kind == "weight_grad" else 1
    if g is None or together == 1:
        return None
    wide = replace(g, groups=g.groups // together)
    b = tuple(np.concatenate(task.b[i : i + together], axis=1) for i in range(0, g.groups, together))
    shape = (g.kernel_height, g.kernel_width, wide.group_channels, g.out_channels)
    return replace(task, contraction=tables.weight_grad(wide), b=b, shape=shape, geometry=wide)


def own_results(codes: np.ndarray, task: Task, out: np.ndarray) -> None:
    """Copy, out of the results of a gathered task, those of ``task``."""
    g = task.geometry
    assert g is not None
    k = np.arange(g.out_channels)
    first = k // g.group_out_channels * g.group_channels % codes.shape[2]  # input channel of k's own group
    out[...] = codes[:, :, first + np.arange(g.group_channels)[:, None], k]
