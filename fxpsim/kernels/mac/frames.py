"""Copy an operand into its frame: padded, spread out, converted."""

import numpy as np

from fxpsim.kernels.mac.tables import Frame


def framed(operand: np.ndarray, frame: Frame, dtype: type[np.generic], empty: int | float) -> np.ndarray:
    """Return the operand as an image of the frame, ``empty`` wherever the frame has no element of it.

    Parameters
    ----------
    operand : ndarray, (images, height, width, channels)
    frame : Frame
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
