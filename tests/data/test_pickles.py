"""A pickle may build arrays and strings, and nothing else."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from fxpsim.data.pickles import read_pickle


class Attack:
    """Runs a command when unpickled by an ordinary reader."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def test_arrays_numbers_and_strings(files):
    content = {
        "bytes": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "big endian": np.array([1, -2], ">i4"),
        "float": np.array([0.5]),
        "column major": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "list": [1, "two", np.array([3])],
        "none": None,
    }
    for protocol in range(6):
        read = read_pickle(files.pickle(f"p{protocol}", content, protocol=protocol))
        assert read.keys() == content.keys()
        for key in ("bytes", "big endian", "float", "column major"):
            assert np.array_equal(read[key], content[key])
            assert read[key].dtype == content[key].dtype
        assert read["list"][:2] == [1, "two"]
        assert read["none"] is None


def test_forbidden_global_is_refused_and_not_run(files, refused):
    mark = files.folder / "mark"
    message = refused(read_pickle, files.pickle("bad", {"data": Attack(mark)}))
    assert "system" in message
    assert not mark.exists()
    pickle.loads(pickle.dumps(Attack(mark)))  # the attack itself works: the test could fail
    assert mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy\ndtype\n.",  # no dictionary
        b"(dS'a'\ncnumpy\ndtype\ns.",  # the callable itself as a value
        b"(dS'a'\ncnumpy\ndtype\n(S'O'\ntRs.",  # an element type instead of an array
        b"(dS'a'\nc_codecs\nencode\n(Vx\nVhex\ntRs.",
        b"(dS'a'\ncnumpy\nndarray\n(I5\ntRs.",  # calling the array type
        b"(dS'a'\ncnumpy._core.multiarray\n_reconstruct\n(tRs.",  # an array without content
    ],
)
def test_other_programs_are_refused(files, refused, content):
    refused(read_pickle, files.write("bad", content))


def test_object_arrays_are_refused(files, refused):
    assert "'O8'" in refused(read_pickle, files.pickle("bad", {"a": np.array([None, 1], object)}))


def test_cut_off_anywhere(files, refused):
    raw = pickle.dumps({b"data": np.arange(9, dtype=np.uint8), b"labels": [1, 2]}, protocol=2)
    for size in range(len(raw)):
        refused(read_pickle, files.write("cut", raw[:size]))


def test_random_damage_never_escapes(files):
    raw = bytearray(pickle.dumps({b"data": np.arange(9, dtype=np.uint8), b"labels": [1, 2]}, protocol=2))
    random = np.random.default_rng(1)
    refusals = 0
    for _ in range(300):
        damaged = bytearray(raw)
        damaged[random.integers(len(raw))] = random.integers(256)
        try:
            read_pickle(files.write("damaged", bytes(damaged)))
        except ValueError:  # UserError is one
            refusals += 1
    assert refusals > 50
