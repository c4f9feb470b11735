"""The operators of a QTensor, each one line to the function that does the work."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fxpsim.array.qtensor import QTensor


class Operators:
    """Arithmetic, comparison, moves and NumPy's protocols, mixed into :class:`~fxpsim.array.QTensor`."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # equality is element by element

    def __add__(self: Any, other: Any) -> "QTensor":
        return _arithmetic().add(self, other)

    def __radd__(self: Any, other: Any) -> "QTensor":
        return _arithmetic().add(other, self)

    def __sub__(self: Any, other: Any) -> "QTensor":
        return _arithmetic().subtract(self, other)

    def __rsub__(self: Any, other: Any) -> "QTensor":
        return _arithmetic().subtract(other, self)

    def __mul__(self: Any, other: Any) -> "QTensor":
        return _arithmetic().multiply(self, other)

    def __rmul__(self: Any, other: Any) -> "QTensor":
        return _arithmetic().multiply(other, self)

    def __matmul__(self: Any, other: Any) -> "QTensor":
        from fxpsim.array.products import matmul

        return matmul(self, other)

    def __neg__(self: Any) -> "QTensor":
        return _arithmetic().negative(self)

    def __pos__(self: Any) -> "QTensor":
        return self

    def __abs__(self: Any) -> "QTensor":
        return _arithmetic().absolute(self)

    def __lshift__(self: Any, places: int) -> "QTensor":
        return _arithmetic().shift(self, places)

    def __rshift__(self: Any, places: int) -> "QTensor":
        return _arithmetic().shift(self, -places)

    def __eq__(self: Any, other: object) -> Any:
        return _arithmetic().compare(self, other, np.equal)

    def __ne__(self: Any, other: object) -> Any:
        return _arithmetic().compare(self, other, np.not_equal)

    def __lt__(self: Any, other: Any) -> NDArray[np.bool_]:
        return _arithmetic().compare(self, other, np.less)

    def __le__(self: Any, other: Any) -> NDArray[np.bool_]:
        return _arithmetic().compare(self, other, np.less_equal)

    def __gt__(self: Any, other: Any) -> NDArray[np.bool_]:
        return _arithmetic().compare(self, other, np.greater)

    def __ge__(self: Any, other: Any) -> NDArray[np.bool_]:
        return _arithmetic().compare(self, other, np.greater_equal)

    def sum(self: Any, axis: Any = None, *, keepdims: bool = False) -> "QTensor":
        """Exact sum along ``axis``; the word grows by ``ceil(log2 n)`` bits."""
        return _reductions().sum(self, axis, keepdims=keepdims)

    def mean(
        self: Any, axis: Any = None, *, format: Any = None, rounding: Any = "half_even", keepdims: bool = False
    ) -> "QTensor":
        """Mean along ``axis``, the exact quotient rounded once to ``format`` (the tensor's own by default)."""
        return _reductions().mean(self, axis, format=format, rounding=rounding, keepdims=keepdims)

    def reshape(self: Any, *shape: Any) -> "QTensor":
        """Return the same elements in another shape."""
        return _joining().moved(self, partial(_reshaped, shape))

    def transpose(self: Any, *axes: Any) -> "QTensor":
        """Permute the axes."""
        return _joining().moved(self, partial(_transposed, axes))

    @property
    def T(self: Any) -> "QTensor":
        """The transpose."""
        return self.transpose()

    def __array_ufunc__(self: Any, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from fxpsim.array.protocols import apply_ufunc

        return apply_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self: Any, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from fxpsim.array.protocols import apply_function

        return apply_function(function, args, kwargs)


def _reshaped(shape: Any, array: NDArray[Any]) -> NDArray[Any]:
    return array.reshape(*shape)


def _transposed(axes: Any, array: NDArray[Any]) -> NDArray[Any]:
    return array.transpose(*axes)


def _arithmetic() -> Any:
    # imported on use: arithmetic makes QTensors, which are built on this class
    from fxpsim.array import arithmetic

    return arithmetic


def _reductions() -> Any:
    from fxpsim.array import reductions

    return reductions


def _joining() -> Any:
    from fxpsim.array import joining

    return joining
