"""Cast of arrays: floats, codes and products of codes to codes, in any rounding and overflow mode.

The fast kernels are generated (one per rounding mode); what they cannot hold goes to the wide kernel. The result is the
same wherever both apply.
"""

from fxpsim.kernels.cast.run import (
    Counts,
    Noise,
    Target,
    accumulate_wide,
    cast_codes,
    cast_floats,
    cast_products,
    storage_dtype,
)

__all__ = [
    "Counts",
    "Noise",
    "Target",
    "accumulate_wide",
    "cast_codes",
    "cast_floats",
    "cast_products",
    "storage_dtype",
]
