"""Sentences of a made-up language and their translation into another."""

from pathlib import Path

import numpy as np

from fxpsim.data.dataset import Dataset, Split, Task
from fxpsim.data.generated.integers import Integers
from fxpsim.data.registry import datasets, positive
from fxpsim.errors import UserError

PAD, BEGIN, END = 0, 1, 2
_FIRST_WORD = 3


@datasets.register("sequence-translation")
def sequence_translation(
    data_dir: Path | None = None,
    *,
    train_size: int = 4000,
    test_size: int = 400,
    words: int = 24,
    length: int = 10,
    seed: int = 0,
) -> Dataset:
    """Return sentences of 2 to ``length`` words, and their translations.

    The translation of a sentence is each word's own translation (a permutation drawn from the seed) in reverse order,
    so a network has to learn a dictionary and a word order. Token 0 pads, 1 begins and 2 ends a sentence.
    Inputs are (N, length); targets are (N, length + 2) with begin and end mark: a decoder reads ``targets[:, :-1]``
    and predicts ``targets[:, 1:]``. No test sentence is a training sentence.

    Examples
    --------
    >>> data = sequence_translation(train_size=50, test_size=5)
    >>> data.train.inputs.shape, data.train.targets.shape, data.classes
    ((50, 10), (50, 12), 27)
    """
    name = "sequence-translation"
    total = positive("train_size", train_size, name) + positive("test_size", test_size, name)
    positive("words", words, name)
    if length < 2:
        raise UserError(
            f"length is {length}", where=f"data set {name!r}", expected="at least 2 words", remedy="choose a longer one"
        )
    random = Integers(seed, 0)
    dictionary = _FIRST_WORD + np.argsort(random.below(2**62, (words,)), kind="stable")
    sentences = _distinct_sentences(random, total, words, length, name)
    targets = _translated(sentences, dictionary)
    return Dataset.of_tokens(
        name=name,
        train=Split(inputs=sentences[:train_size], targets=targets[:train_size]),
        test=Split(inputs=sentences[train_size:], targets=targets[train_size:]),
        classes=_FIRST_WORD + words,
        task=Task.TRANSLATION,
        class_names=("<pad>", "<begin>", "<end>", *(f"w{number}" for number in range(words))),
        source=f"generated, seed {seed}",
    )


def _distinct_sentences(random: Integers, total: int, words: int, length: int, name: str) -> np.ndarray:
    """Return ``total`` different sentences, padded, in the order in which they were drawn."""
    if sum(words**size for size in range(2, length + 1)) < 2 * total:
        raise UserError(
            f"{words} words and sentences of up to {length} give too few sentences",
            where=f"data set {name!r}",
            expected=f"at least twice the {total} samples asked for",
            remedy="choose more words, longer sentences or fewer samples",
        )
    found = np.zeros((0, length), np.int32)
    while len(found) < total:
        drawn = _FIRST_WORD + random.below(words, (total, length))
        sizes = 2 + random.below(length - 1, (total, 1))
        drawn[np.arange(length) >= sizes] = PAD
        found = np.concatenate([found, drawn.astype(np.int32)])
        _, first = np.unique(found, axis=0, return_index=True)
        found = found[np.sort(first)]
    return found[:total]


def _translated(sentences: np.ndarray, dictionary: np.ndarray) -> np.ndarray:
    count, length = sentences.shape
    targets = np.full((count, length + 2), PAD, np.int32)
    targets[:, 0] = BEGIN
    for row, sentence in zip(targets, sentences, strict=True):
        said = dictionary[sentence[sentence != PAD] - _FIRST_WORD][::-1]
        row[1 : 1 + len(said)] = said
        row[1 + len(said)] = END
    return targets
