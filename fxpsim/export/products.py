"""What the MAC array read and returned: products as test vectors for hardware, weights as memory contents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fxpsim.errors import UserError
from fxpsim.export.words import write_memory
from fxpsim.numerics import FixedFormat

FORMATS = ("mem", "hex", "coe")
ORDERS = {
    "matmul": {"a": "rows, k", "b": "k, columns", "out": "rows, columns"},
    "conv2d": {
        "a": "sample, row, column, channel",
        "b": "kernel row, kernel column, channel, filter",
        "out": "sample, row, column, filter",
    },
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Product:
    """One product of the MAC array: its operands, and what its accumulators held in the end.

    Parameters
    ----------
    layer, operation : str
        Whose product it is; ``matmul`` or ``conv2d``.
    a, b, out : ndarray of int
        Codes of activations, weights and accumulators.
    a_format, b_format : FixedFormat
        How to read the operands.
    out_bits, out_frac_bits : int
        Word and fraction length of the accumulators.
    attributes : dict
        Stride, padding and what else the operation takes.
    """

    layer: str
    operation: str
    a: np.ndarray
    b: np.ndarray
    out: np.ndarray
    a_format: FixedFormat
    b_format: FixedFormat
    out_bits: int
    out_frac_bits: int
    attributes: Mapping[str, Any]


def export_memory(products: Sequence[Product], folder: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write the weights of every layer as the MAC array reads them: ``LAYER.mem``, ``.hex``, ``.coe``, and a manifest.

    Raises
    ------
    UserError
        If there is no product of integer codes.
    """
    weights = {product.layer: product for product in _some(products)}
    written, entries = [], []
    for layer, product in weights.items():
        files = write_memory(folder / f"{layer}.weight", product.b, product.b_format.word_bits, tuple(formats))
        entry = {"layer": layer, **_tensor(product.b, product.b_format, ORDERS[product.operation]["b"])}
        entries.append(entry | {"files": [file.name for file in files]})
        written += files
    return [*written, _manifest(folder, {"weights": entries})]


def export_vectors(
    products: Sequence[Product], folder: Path, *, accumulator: Mapping[str, Any], formats: Sequence[str] = ("mem",)
) -> list[Path]:
    """Write operands and accumulators of every product, in the order of execution, and a manifest.

    Parameters
    ----------
    products : sequence of Product
        What was executed.
    folder : Path
        Where the files go: ``000-LAYER.a.mem``, ``.b.mem``, ``.out.mem``.
    accumulator : dict
        The accumulator's description, as the accelerator's file has it.
    formats : sequence of str
        Memory formats.
    """
    written, entries = [], []
    for number, product in enumerate(_some(products)):
        name = f"{number:03d}-{product.layer}"
        out_format = FixedFormat(word_bits=product.out_bits, frac_bits=product.out_frac_bits)
        entry: dict[str, Any] = {"layer": product.layer, "operation": product.operation}
        entry |= {"attributes": {key: _plain(value) for key, value in product.attributes.items()}}
        for place, codes, fmt in (
            ("a", product.a, product.a_format),
            ("b", product.b, product.b_format),
            ("out", product.out, out_format),
        ):
            files = write_memory(folder / f"{name}.{place}", codes, fmt.word_bits, tuple(formats))
            described = _tensor(codes, fmt, ORDERS[product.operation][place])
            entry[place] = described | {"files": [file.name for file in files]}
            written += files
        entries.append(entry)
    return [*written, _manifest(folder, {"accumulator": dict(accumulator), "products": entries})]


def _some(products: Sequence[Product]) -> Sequence[Product]:
    if not products:
        raise UserError(
            "no layer of this run multiplies integer codes",
            where="export",
            expected="a run whose weights and activations are fixed point",
            remedy="export a run with another method; float32 weights: --to weights",
        )
    return products


def _tensor(codes: np.ndarray, fmt: FixedFormat, order: str) -> dict[str, Any]:
    numbers = {"word_bits": fmt.word_bits, "frac_bits": fmt.frac_bits, "signed": fmt.signed}
    return {"shape": list(codes.shape), "order": order, **numbers}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _manifest(folder: Path, content: Mapping[str, Any]) -> Path:
    path = folder / "manifest.json"
    about = (
        "Words in two's complement, row-major: the last index of the shape runs first. Value = code * 2**-frac_bits."
    )
    path.write_text(json.dumps({"about": about, **content}, indent=1) + "\n", encoding="utf-8")
    return path
