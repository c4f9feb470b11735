"""The states of a stream: its distinct combinations of bits, shares and metadata, each with a number."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fxpsim.accelerator import Metadata
from fxpsim.cost.arrays import Bools, Floats, Frame, Ints
from fxpsim.records import parse_histogram


@dataclass(frozen=True, kw_only=True)
class StreamStates:
    """What streams can look like; every array has one entry per state.

    ``histogram`` is an index into ``histograms`` (-1: every element has ``word_bits``).
    ``metadata_bits`` is per element. ``nonzero`` is 1 unless the accelerator uses zeros.
    """

    word_bits: Ints
    is_float: Bools
    nonzero: Floats
    metadata_bits: Floats
    histogram: Ints
    histograms: tuple[dict[int, float], ...]

    def take(self, index: Ints) -> "StreamStates":
        """Return the states at these numbers."""
        return StreamStates(
            word_bits=self.word_bits[index],
            is_float=self.is_float[index],
            nonzero=self.nonzero[index],
            metadata_bits=self.metadata_bits[index],
            histogram=self.histogram[index],
            histograms=self.histograms,
        )

    @cached_property
    def block_wise(self) -> bool:
        """Whether any state has a histogram of word lengths."""
        return bool((self.histogram >= 0).any())

    def distribution(self, place: int) -> dict[int, float]:
        """Return the share of the elements by word length of one state."""
        number = int(self.histogram[place])
        return self.histograms[number] if number >= 0 else {int(self.word_bits[place]): 1.0}

    @cached_property
    def mean_bits(self) -> Floats:
        """Mean code bits of an element, without metadata."""
        mean = self.word_bits.astype(np.float64)
        for place in np.flatnonzero(self.histogram >= 0).tolist():
            mean[place] = sum(bits * share for bits, share in self.distribution(place).items())
        return mean

    def stored_bits(self, granularity: int, *, packed: bool) -> Floats:
        """Mean bits that an element takes in a memory, metadata included."""
        if packed:
            return self.mean_bits + self.metadata_bits
        mean = (-(-self.word_bits // granularity) * granularity).astype(np.float64)
        for place in np.flatnonzero(self.histogram >= 0).tolist():
            shares = self.distribution(place).items()
            mean[place] = sum(-(-bits // granularity) * granularity * share for bits, share in shares)
        return mean + self.metadata_bits


def states_of(history: Frame, metadata_format: Metadata | None, *, keep_zeros: bool) -> tuple[StreamStates, Ints]:
    """Return the distinct states of a validated history and the state number of each of its rows.

    Shares of zeros tell states apart only with ``keep_zeros`` (an accelerator that skips or gates zeros), so that a
    history with ever-changing shares has no more settings than bits.
    """
    rows = len(history)
    word = history["word_bits"].to_numpy()
    is_float = history["frac_bits"].isna().to_numpy() & (word == 32)
    histogram, histograms = _histograms(history)
    metadata = _metadata(history, metadata_format, histogram)
    nonzero = np.ones(rows)
    if keep_zeros:
        share = history["nonzero_share"].to_numpy(dtype=np.float64)
        nonzero = np.where(np.isnan(share), 1.0, share)
    key = np.asarray(word * 2 + is_float, np.int64)
    for column in (histogram, metadata, nonzero):
        key = combine(key, column)
    _, first, number = np.unique(key, return_index=True, return_inverse=True)
    states = StreamStates(
        word_bits=word[first],
        is_float=is_float[first],
        nonzero=nonzero[first],
        metadata_bits=metadata[first],
        histogram=histogram[first],
        histograms=histograms,
    )
    return states, np.asarray(number, np.int64)


def combine(key: Ints, column: Ints | Floats) -> Ints:
    """Return a dense key that tells apart what ``key`` or ``column`` tells apart."""
    if column.size == 0 or bool((column == column[0]).all()):
        return key
    values, number = np.unique(column, return_inverse=True)
    _, dense = np.unique(key, return_inverse=True)
    return np.asarray(dense, np.int64) * len(values) + np.asarray(number, np.int64)


def _histograms(history: Frame) -> tuple[Ints, tuple[dict[int, float], ...]]:
    if "bits_histogram" not in history:
        return np.full(len(history), -1), ()
    column = history["bits_histogram"]
    return column.cat.codes.to_numpy().astype(np.int64), tuple(parse_histogram(text) for text in column.cat.categories)


def _metadata(history: Frame, described: Metadata | None, histogram: Ints) -> Floats:
    """Metadata bits per element: as the history says, else the accelerator's for block-wise streams."""
    per_element = 0.0
    if described is not None:
        block_bits = described.shared_exponent_bits + described.bit_map_bits
        per_element = block_bits / described.block_elements + described.zero_mask_bits_per_element
    default = np.where(histogram >= 0, per_element, 0.0)
    if "metadata_bits_per_element" not in history:
        return default
    said = history["metadata_bits_per_element"].to_numpy(dtype=np.float64)
    return np.where(np.isnan(said), default, said)
