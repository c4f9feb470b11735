"""Characters of a file."""

import numpy as np
import pytest

from fxpsim.data import Task, batches, load

WORDS = "the quick brown fox jumps over the lazy dog. " * 20 + "café ünï 中"


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.txt.xz"])
def test_reads_what_was_written(files, name):
    files.write(name, WORDS.encode())
    data = load("text", files.folder, window=16)
    assert (data.task, data.classes, data.class_names) == (Task.NEXT_TOKEN, len(set(WORDS)), tuple(sorted(set(WORDS))))
    read = "".join(data.class_names[token] for token in data.train.inputs.ravel())
    assert WORDS.startswith(read)
    assert len(read) > 0.85 * len(WORDS)


def test_targets_are_the_next_characters(files):
    files.write("a.txt", WORDS.encode())
    data = load("text", files.folder / "a.txt", window=16)
    assert np.array_equal(data.train.inputs[:, 1:], data.train.targets[:, :-1])
    assert np.array_equal(data.train.targets[:-1, -1], data.train.inputs[1:, 0])


def test_overlapping_windows_cost_no_memory(files):
    files.write("a.txt", WORDS.encode())
    data = load("text", files.folder, window=16, stride=1)
    assert len(data.train) > 700
    assert data.train.inputs.base is not None
    batch = next(batches(data.train, batch=4, shuffle=True))
    assert batch.inputs.flags.owndata
    assert batch.inputs.dtype == np.int32


def test_test_part_is_the_end_of_the_text(files):
    files.write("a.txt", ("a" * 900 + "b" * 100).encode())
    data = load("text", files.folder, window=10)
    assert set(data.train.targets.ravel().tolist()) == {0}
    assert set(data.test.targets.ravel().tolist()) == {1}


def test_refused(files, refused):
    assert "0 text files" in refused(load, "text", files.folder)
    files.write("a.txt", WORDS.encode())
    assert "too few" in refused(load, "text", files.folder, window=2000)
    assert "window is 0" in refused(load, "text", files.folder, window=0)
    assert "held_out is 1.5" in refused(load, "text", files.folder, held_out=1.5)
    assert "no text file 'b.txt'" in refused(load, "text", files.folder, file="b.txt")
    files.write("b.txt", b"caf\xe9")
    assert "a.txt, b.txt" in refused(load, "text", files.folder)
    assert "byte 3 is not UTF-8" in refused(load, "text", files.folder, file="b.txt")
