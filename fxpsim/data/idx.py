"""IDX files: the format of MNIST and Fashion-MNIST.

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database", section "the IDX file format".
"""

import math
from pathlib import Path

import numpy as np

from fxpsim.data.files import read_bytes
from fxpsim.errors import UserError

# third byte of the magic number -> element type; everything is big-endian
_ELEMENTS = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: Path, *, ndim: int) -> np.ndarray:
    """Read an IDX file (plain, .gz or .xz).

    The file is a magic number (two zero bytes, the element type, the number of dimensions), one big-endian 32-bit size
    per dimension, and the elements in row-major order.

    Parameters
    ----------
    path : Path
        The file.
    ndim : int
        Dimensions that it must have: 3 for images, 1 for labels.

    Returns
    -------
    numpy.ndarray
        Read-only, in the element type of the file.

    Raises
    ------
    UserError
        If the magic number, the number of dimensions or the length is not right.
    """
    raw = read_bytes(path)
    if len(raw) < 4 or raw[0] or raw[1] or raw[2] not in _ELEMENTS:
        raise UserError(
            f"not an IDX file: it begins with {raw[:4].hex(' ') or 'nothing'}",
            where=str(path),
            expected="00 00, an element type (" + ", ".join(f"{code:02x}" for code in _ELEMENTS) + "), dimensions",
            remedy="check that this is the file it is named after",
        )
    if raw[3] != ndim:
        raise UserError(
            f"the IDX file has {raw[3]} dimensions",
            where=str(path),
            expected=f"{ndim} ({'images' if ndim == 3 else 'labels'})",
            remedy="check that image and label files have not been exchanged",
        )
    element, begin = np.dtype(_ELEMENTS[raw[2]]), 4 + 4 * ndim
    shape = [int.from_bytes(raw[at : at + 4], "big") for at in range(4, begin, 4)]
    size = begin + math.prod(shape) * element.itemsize
    if len(raw) < begin or len(raw) != size:
        raise UserError(
            f"the IDX file is {len(raw)} bytes long",
            where=str(path),
            expected=f"{size} bytes for {' x '.join(map(str, shape))} elements" if len(raw) >= begin else "a header",
            remedy="the file is cut off or damaged: fetch it again",
        )
    return np.frombuffer(raw, element, offset=begin).reshape(shape)
