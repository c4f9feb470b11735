"""fxpsim: bit-exact fixed-point training simulation and accelerator cost models.

The public names are loaded on first use, so that ``import fxpsim`` costs next to nothing.

>>> import fxpsim as fx
>>> fx.FixedFormat.parse("s8f4")
FixedFormat(word_bits=8, frac_bits=4, signed=True)
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# public name -> module that defines it
_PUBLIC = {
    "FixedFormat": "fxpsim.numerics",
    "Rounding": "fxpsim.numerics",
    "Overflow": "fxpsim.numerics",
    "RandomBits": "fxpsim.numerics",
    "LfsrBits": "fxpsim.numerics",
    "QTensor": "fxpsim.array",
    "cast": "fxpsim.array",
    "Accumulator": "fxpsim.array",
    "matmul": "fxpsim.array",
    "conv2d": "fxpsim.array",
    "multiply": "fxpsim.array",
    "concatenate": "fxpsim.array",
    "stack": "fxpsim.array",
    "Scale": "fxpsim.array",
    "FxpsimError": "fxpsim.errors",
    "UserError": "fxpsim.errors",
}
__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604 - names only


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'fxpsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
