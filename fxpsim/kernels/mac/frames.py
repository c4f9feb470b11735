"""Copy an operand into its frame: padded, spread out, converted."""

from functools import cache
from typing import Any

import numpy as np

from fxpsim.kernels.jit import compile_source, kernel
from fxpsim.kernels.mac.moves import transpose_block
from fxpsim.kernels.mac.tables import Frame
from fxpsim.kernels.memory import empty
from fxpsim.kernels.threads import inline, parallel_for, threads

_WORTH_SHARING = 1 << 16  # elements
_PIECE = 1 << 13  # elements that a thread converts at a time
_OWN_BYTES = 1 << 19  # of an image that stays in a core's own cache beside a panel and the sums


def framed(operand: np.ndarray, frame: Frame, dtype: type[np.generic], empty: float | np.number) -> np.ndarray:
    """Return the operand as an image of the frame, ``empty`` wherever the frame has no element of it.

    Parameters
    ----------
    operand : ndarray, (images, height, width, channels)
    frame : Frame
        Not planar.
    dtype : numpy type
        Type of the elements.
    empty : number
        Value of the padding.
    """
    if frame.holds(operand.shape):
        return operand.astype(dtype, copy=False)
    image = np.full((frame.images, frame.height, frame.width, frame.channels), empty, dtype)
    rows = slice(frame.top, frame.top + (operand.shape[1] - 1) * frame.step[0] + 1, frame.step[0])
    columns = slice(frame.left, frame.left + (operand.shape[2] - 1) * frame.step[1] + 1, frame.step[1])
    image[:, rows, columns] = operand
    return image


_INTERLEAVED = '''\
def {name}(begin, end, x, out, height, top, step, left, line, pitch, bias):
    """Write rows of frames whose channels are fastest; a unit is one row of one frame."""
    size = line * pitch[0]
    for unit in range(begin, end):
        n, y = unit // height, unit % height
        target = out[unit * size : (unit + 1) * size]
        target[:] = bias
        source = y - top
        if source < 0 or source % step or source // step >= x.shape[1]:
            continue
        pixels = x[n, source // step]
        # without gaps a row is one run
        whole = pitch[1] == 1
        for i in range(1 if whole else pixels.shape[0]):
            values = pixels.reshape(-1) if whole else pixels[i]
            at = (left + i * pitch[1]) * pitch[0]
            inside = target[at : at + values.size]
            for c in range(inside.size):
                inside[c] = {code}
'''

_PLANAR = '''\
def {name}(begin, end, x, out, height, top, left, phases, columns, blocks, bias):
    """Write planar frames; a unit is up to {block} channels of one frame."""
    width, channels = x.shape[2], x.shape[3]
    row = phases * columns
    pitch = height * row
    line = np.empty(width * {block}, np.{dtype})
    for unit in range(begin, end):
        n, c0 = unit // blocks, unit % blocks * {block}
        wide = min({block}, channels - c0)
        frame = (n * channels + c0) * pitch
        inside = out[frame : frame + wide * pitch]
        for i in range(inside.size):
            inside[i] = bias
        for y in range(x.shape[1]):
            for i in range(width):
                values, into = x[n, y, i, c0 : c0 + wide], line[i * wide : (i + 1) * wide]
                for c in range(into.size):
                    into[c] = {code}
            base = frame + (y + top) * row
            for p in range(phases):
                # the pixels i = first, first + phases, ... are those with (left + i) % phases == p
                first = (p - left) % phases
                count = (width - first + phases - 1) // phases
                to = base + p * columns + (left + first) // phases
                square = {large} if min(count, wide) >= {large} else {small}
                if min(count, wide) < {small}:
                    for c in range(wide):
                        for i in range(count):
                            out[to + c * pitch + i] = line[(first + i * phases) * wide + c]
                    continue
                for c in range(0, wide, square):
                    c = min(c, wide - square)  # the last square overlaps the one before
                    for i in range(0, count, square):
                        i = min(i, count - square)
                        source = line.ctypes.data + ((first + i * phases) * wide + c) * {size}
                        target = out.ctypes.data + (to + c * pitch + i) * {size}
                        if square == {large}:
                            transpose_large(source, phases * wide, target, pitch)
                        else:
                            transpose_small(source, phases * wide, target, pitch)
'''

_BLOCK = 128  # channels per unit


# what a frame holds of a code; ``top`` is the high byte where all codes have got the bias already
_CODES = {
    "": "values[c] + bias",
    "high": "values[c] >> 8",
    "low": "values[c] & 255",
    "top": "(values[c] >> 8) + bias",
}


@cache
def _interleaved(dtype: str, part: str) -> Any:
    name = "_".join(["mac_interleaved", dtype, *([part] if part else [])])
    return compile_source(name, _INTERLEAVED.format(name=name, code=_CODES[part]), {"np": np})


@cache
def _planar(dtype: str, part: str) -> Any:
    large, small = 128 // (8 * np.dtype(dtype).itemsize), 64 // (8 * np.dtype(dtype).itemsize)
    name = "_".join(["mac_planar", dtype, *([part] if part else [])])
    sizes = {"block": _BLOCK, "large": large, "small": small, "size": np.dtype(dtype).itemsize}
    source = _PLANAR.format(name=name, dtype=dtype, code=_CODES[part], **sizes)
    signed = f"int{8 * np.dtype(dtype).itemsize}"
    squares = {"transpose_large": transpose_block(signed, large), "transpose_small": transpose_block(signed, small)}
    return compile_source(name, source, {"np": np, **squares})


@kernel
def _convert(begin, end, source, copies):
    """Write pieces of an array, in another type, into its copies, one copy after the other."""
    pieces = (source.size + _PIECE - 1) // _PIECE
    for unit in range(begin, end):
        first = unit % pieces * _PIECE
        part, into = source[first : first + _PIECE], copies[unit // pieces, first : first + _PIECE]
        for i in range(into.size):
            into[i] = part[i]


def copies_of(operand: np.ndarray, frame: Frame, dtype: str) -> np.ndarray | None:
    """Return the flat image of a frame in another type, once for each thread; None where one for all is as good.

    A thread writes the copy that it reads. To overwrite memory that another core has read since, and to read what
    another core has written, takes longer than the conversion as long as the image stays in the core's own cache.
    """
    small = operand.size * np.dtype(dtype).itemsize <= _OWN_BYTES and operand.size >= _WORTH_SHARING
    if threads() == 1 or operand.dtype == dtype or not (small and frame.holds(operand.shape)):
        return None
    copies = empty((threads(), operand.size), dtype)
    flat = np.ascontiguousarray(operand).reshape(-1)
    parallel_for(_convert, threads() * -(-flat.size // _PIECE), flat, copies)
    return copies


def image_of(
    operand: np.ndarray,
    frame: Frame,
    dtype: str,
    *,
    slack: int,
    bias: int = 0,
    parts: tuple[str, ...] = ("",),
) -> np.ndarray:
    """Return codes (or floats) as the flat image of a frame, for a lane.

    Parameters
    ----------
    operand : ndarray, (images, height, width, channels)
    frame : Frame
    dtype : str
        Type of the elements.
    slack : int
        Elements after the last one that an instruction may read.
    bias : int
        Added to every element, modulo the type's range, and what the padding holds: 128 for signed bytes that are to
        be read as unsigned ones, or -32768 for unsigned words that are to be read as signed ones.
    parts : tuple of str
        Images to return, one after the other: the codes (""), the codes shifted right by 8 bits ("high"), their low 8
        bits ("low"), or their high bytes plus the bias ("top").
    """
    if parts == ("",):
        other = dtype[1:] if dtype.startswith("u") else "u" + dtype  # the bias inverts the first bit
        values = operand.astype(other, copy=False).view(dtype) if bias else operand.astype(dtype, copy=False)
    else:
        values = operand
    if frame.holds(values.shape) and not (slack or bias or parts != ("",)):
        return values.reshape(-1)
    share = parallel_for if frame.size >= _WORTH_SHARING else inline
    image = empty(len(parts) * frame.size + slack, dtype, smallest=0)
    image[len(parts) * frame.size :] = 0
    nothing = image.dtype.type(bias)
    for i, part in enumerate(parts):
        out = image[i * frame.size : (i + 1) * frame.size]
        if frame.phases:
            blocks = -(-frame.channels // _BLOCK)
            where = (frame.height, frame.top, frame.left, frame.phases, frame.planar_columns, blocks)
            share(_planar(dtype, part), frame.images * blocks, values, out, *where, nothing)
        else:
            where = (frame.height, frame.top, frame.step[0], frame.left, frame.width)
            pitch = (frame.channels, frame.step[1])
            share(_interleaved(dtype, part), frame.images * frame.height, values, out, *where, pitch, nothing)
    return image
