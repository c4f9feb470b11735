"""Copy an operand into its frame: padded, spread out, converted."""

import numpy as np

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.mac.packing import aligned_empty
from fxpsim.kernels.mac.tables import Frame
from fxpsim.kernels.threads import parallel_for


def framed(operand: np.ndarray, frame: Frame, dtype: type[np.generic], empty: int | float) -> np.ndarray:
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


@kernel
def _interleaved(  # noqa: PLR0917
    begin, end, x, out, height, top, step, left, line, pitch, drop, mask, bias
):
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
        if pitch[1] == 1:
            values = pixels.reshape(-1)
            inside = target[left * pitch[0] : left * pitch[0] + values.size]
            for i in range(inside.size):
                inside[i] = ((values[i] >> drop) & mask) + bias
        else:
            for i in range(pixels.shape[0]):
                values = pixels[i]
                at = (left + i * pitch[1]) * pitch[0]
                inside = target[at : at + values.size]
                for c in range(inside.size):
                    inside[c] = ((values[c] >> drop) & mask) + bias


@kernel
def _planar(  # noqa: PLR0917
    begin, end, x, out, height, top, left, phases, columns, drop, mask, bias
):
    """Write rows of planar frames; a unit is one row of all channels of one frame."""
    channels = x.shape[3]
    row = phases * columns
    line = np.empty(row, out.dtype)
    for unit in range(begin, end):
        n, y = unit // height, unit % height
        source = y - top
        inside = 0 <= source < x.shape[1]
        for c in range(channels):
            line[:] = bias
            if inside:
                values = x[n, source, :, c]
                for p in range(phases):
                    # positions left + i with (left + i) % phases == p
                    first = (p - left) % phases
                    begins = p * columns + (left + first) // phases
                    picked = values[first::phases]
                    places = line[begins : begins + picked.size]
                    for i in range(places.size):
                        places[i] = ((picked[i] >> drop) & mask) + bias
            at = ((n * channels + c) * height + y) * row
            out[at : at + row] = line


def image_of(
    operand: np.ndarray, frame: Frame, dtype: str, *, slack: int, bias: int = 0, split: bool = False
) -> np.ndarray:
    """Return codes as the flat image of a frame, for a lane.

    Parameters
    ----------
    operand : ndarray of integers, (images, height, width, channels)
    frame : Frame
    dtype : str
        Type of the elements.
    slack : int
        Elements after the last one that an instruction may read.
    bias : int
        Added to every element, padding included.
    split : bool
        Return two images, one after the other: the codes shifted right by 8 bits, and their low 8 bits.
    """
    if frame.holds(operand.shape) and operand.dtype == dtype and not (slack or bias or split):
        return operand.reshape(-1)
    image = aligned_empty((1 + split) * frame.size + slack, dtype)
    image[(1 + split) * frame.size :] = 0
    parts = ((8, -1), (0, 255)) if split else ((0, -1),)
    for index, (drop, mask) in enumerate(parts):
        out = image[index * frame.size : (index + 1) * frame.size]
        units = frame.images * frame.height
        if frame.phases:
            where = (frame.height, frame.top, frame.left, frame.phases, frame.planar_columns)
            parallel_for(_planar, units, operand, out, *where, drop, mask, bias)
        else:
            where = (frame.height, frame.top, frame.step[0], frame.left, frame.width)
            pitch = (frame.channels, frame.step[1])
            parallel_for(_interleaved, units, operand, out, *where, pitch, drop, mask, bias)
    return image
