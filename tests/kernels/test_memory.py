"""Memory that is used again: never while anybody can still see it."""

import gc

import numpy as np
import pytest

from fxpsim.kernels import memory


@pytest.fixture(autouse=True)
def fresh():
    memory.release()
    yield
    memory.release()


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.float32, np.int64])
def test_shape_type_and_alignment(dtype):
    array = memory.empty((37, 5000), dtype)
    assert array.shape == (37, 5000)
    assert array.dtype == dtype
    assert array.flags.c_contiguous
    assert array.flags.writeable
    if array.nbytes >= memory.SMALLEST:
        assert array.ctypes.data % memory.ALIGNMENT == 0
    array[...] = 1
    assert (array == 1).all()


def test_memory_comes_back_when_the_last_view_is_gone():
    array = memory.empty(1 << 20, np.int8)
    place = array.ctypes.data
    view = array.reshape(1024, 1024)[3:7].T[::2]
    view[...] = 7
    del array
    gc.collect()
    other = memory.empty(1 << 20, np.int8)
    other[...] = 0
    assert other.ctypes.data != place, "a view was still alive"
    assert (view == 7).all()
    del view
    gc.collect()
    assert memory.empty(1 << 20, np.int8).ctypes.data == place


def test_two_live_arrays_never_share():
    arrays = [memory.empty(50_000, np.int32) for _ in range(8)]
    for i, array in enumerate(arrays):
        array[...] = i
    for i, array in enumerate(arrays):
        assert (array == i).all()


def test_idle_memory_is_bounded_and_can_be_released(monkeypatch):
    monkeypatch.setattr(memory, "MOST_IDLE_BYTES", 1 << 20)
    arrays = [memory.empty(1 << 18, np.int8) for _ in range(16)]
    del arrays
    gc.collect()
    assert 0 < memory.idle_bytes() <= 1 << 20
    memory.release()
    assert memory.idle_bytes() == 0
