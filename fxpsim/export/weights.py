"""Trained state as safetensors, for any other tool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fxpsim.export.products import Product


def export_weights(
    arrays: Mapping[str, np.ndarray], frac_bits: Mapping[str, int], products: Sequence[Product], path: Path
) -> Path:
    """Write parameters and running statistics, and beside them the codes that the MAC array reads.

    Parameters
    ----------
    arrays : dict of str to ndarray
        Master weights and statistics by name; integer codes where ``frac_bits`` knows the name, else binary32.
    frac_bits : dict of str to int
        Fraction lengths of the codes.
    products : sequence of Product
        For the quantized weights: ``LAYER.weight.codes``, in int64.
    path : Path
        The ``.safetensors`` file; its metadata hold ``NAME.frac_bits`` and ``NAME.word_bits`` of codes.
    """
    from safetensors.numpy import save_file

    tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    about = {f"{name}.frac_bits": str(bits) for name, bits in frac_bits.items()}
    for product in products:
        name = f"{product.layer}.weight.codes"
        tensors[name] = np.ascontiguousarray(product.b, np.int64)
        about[f"{name}.frac_bits"] = str(product.b_format.frac_bits)
        about[f"{name}.word_bits"] = str(product.b_format.word_bits)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata=about)
    return path
