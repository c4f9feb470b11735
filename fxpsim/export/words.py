"""Memory files: codes as hexadecimal words in two's complement, in the formats that synthesis tools read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from fxpsim.errors import UserError
from fxpsim.registry import Registry

memory_formats: Registry[Callable[[list[str], int], str]] = Registry("memory format")


def words(codes: np.ndarray, word_bits: int) -> list[str]:
    """Return codes as hexadecimal words of two's complement, in row-major order.

    Parameters
    ----------
    codes : ndarray of int
        Codes that fit ``word_bits`` (signed or unsigned).
    word_bits : int
        Bits of a word, 1 to 64; the hexadecimal text is padded with zero bits to whole digits.

    Raises
    ------
    UserError
        If a code does not fit.

    Examples
    --------
    >>> words(np.array([[1, -1], [7, -8]]), 4), words(np.array([-1]), 5)
    (['1', 'f', '7', '8'], ['1f'])
    """
    numbers = [int(code) for code in np.ravel(codes)]
    low, high = -(1 << (word_bits - 1)), (1 << word_bits) - 1
    wrong = next((number for number in numbers if not low <= number <= high), None)
    if wrong is not None:
        raise UserError(
            f"code {wrong} does not fit {word_bits} bits",
            where="memory file",
            expected=f"codes from {low} to {high}",
            remedy="give the word length of the codes' format",
        )
    digits, mask = -(-word_bits // 4), (1 << word_bits) - 1
    return [f"{number & mask:0{digits}x}" for number in numbers]


@memory_formats.register("mem")
def mem(listed: list[str], word_bits: int) -> str:
    r"""Return a file for ``$readmemh`` (Verilog) and Vivado: one word a line, from address 0.

    >>> mem(["0f", "a0"], 8)
    '@0\n0f\na0\n'
    """
    return "@0\n" + "".join(f"{word}\n" for word in listed)


@memory_formats.register("coe")
def coe(listed: list[str], word_bits: int) -> str:
    r"""Return a Xilinx coefficient file.

    >>> coe(["0f", "a0"], 8)
    'memory_initialization_radix=16;\nmemory_initialization_vector=\n0f,\na0;\n'
    """
    return "memory_initialization_radix=16;\nmemory_initialization_vector=\n" + ",\n".join(listed) + ";\n"


@memory_formats.register("hex")
def intel_hex(listed: list[str], word_bits: int) -> str:
    """Return an Intel HEX file (Quartus): a record for each word, its address in words, its bytes big-endian.

    >>> print(intel_hex(["0f", "a0"], 8), end="")
    :010000000FF0
    :01000100A05E
    :00000001FF
    """
    size = -(-word_bits // 8)
    lines, upper = [], 0
    for address, word in enumerate(listed):
        if address >> 16 != upper:
            upper = address >> 16
            lines.append(_record(0, 4, upper.to_bytes(2, "big")))
        lines.append(_record(address & 0xFFFF, 0, int(word, 16).to_bytes(size, "big")))
    return "".join(f"{line}\n" for line in [*lines, ":00000001FF"])


def write_memory(path: Path, codes: np.ndarray, word_bits: int, formats: tuple[str, ...]) -> list[Path]:
    """Write codes in several formats, ``path`` with each one's suffix; return the files."""
    listed = words(codes, word_bits)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for name in formats:
        target = path.with_name(f"{path.name}.{name}")
        target.write_text(memory_formats[name](listed, word_bits), encoding="ascii")
        written.append(target)
    return written


def _record(address: int, kind: int, data: bytes) -> str:
    body = bytes([len(data)]) + address.to_bytes(2, "big") + bytes([kind]) + data
    return f":{body.hex()}{-sum(body) & 0xFF:02x}".upper()
