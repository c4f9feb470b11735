"""Bits per layer and stream over time: means, and the values of a heat map."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fxpsim.records import STREAMS, parse_histogram, stream_and_pass

if TYPE_CHECKING:
    import pandas as pd

SHARES = ("saturated_share", "underflow_share", "nonzero_share", "relative_error")
_MEMORY_ONLY = ("master", "momentum")  # streams of the update unit: they feed no GEMM


@dataclass(frozen=True, kw_only=True, eq=False)
class StreamHistory:
    """One stream of one layer: its intervals in order of time.

    Parameters
    ----------
    layer, stream : str
        Whose bits these are.
    elements : int
        Elements of the tensor in one step; 1 where the workload does not tell.
    begin, end : numpy.ndarray
        First step of each interval, first step after it.
    word_bits : numpy.ndarray
        Word length in each interval; the mean over the elements where blocks differ.
    is_float : numpy.ndarray
        Which intervals are float32.
    shares : dict of str to numpy.ndarray
        Saturated, underflow and nonzero share and relative error; NaN where unknown.
    """

    layer: str
    stream: str
    elements: int
    begin: np.ndarray
    end: np.ndarray
    word_bits: np.ndarray
    is_float: np.ndarray
    shares: dict[str, np.ndarray]

    def mean(self, values: np.ndarray) -> float:
        """Return the mean of ``values`` over the steps; NaN where none is known."""
        steps = np.where(np.isnan(values), 0, self.end - self.begin)
        return float(np.nansum(values * steps) / steps.sum()) if steps.sum() else float("nan")

    def worst(self, values: np.ndarray) -> float:
        """Return the largest of ``values``; NaN where none is known."""
        return float(np.nanmax(values)) if not np.isnan(values).all() else float("nan")

    def binned(self, values: np.ndarray, edges: np.ndarray) -> np.ndarray:
        """Return the mean of ``values`` between neighboring ``edges`` (steps); NaN where there is none."""
        known = ~np.isnan(values)
        begin, end, values = self.begin[known], self.end[known], values[known]
        times = np.stack([begin, end], axis=1).ravel().astype(float)
        lengths = (end - begin).astype(float)
        covered = np.repeat(np.cumsum(lengths), 2)
        covered[::2] -= lengths
        summed = np.repeat(np.cumsum(lengths * values), 2)
        summed[::2] -= lengths * values
        if not times.size:
            return np.full(len(edges) - 1, np.nan)
        steps = np.diff(np.interp(edges, times, covered))
        total = np.diff(np.interp(edges, times, summed))
        return np.divide(total, steps, out=np.full(len(steps), np.nan), where=steps > 1e-9)


def stream_histories(history: "pd.DataFrame", workload: "pd.DataFrame") -> list[StreamHistory]:
    """Return every stream of every layer, layers in the order of the workload, streams in the usual order."""
    elements = _elements(workload)
    layers = {layer: place for place, layer in enumerate(dict.fromkeys(workload["layer"].astype(str)))}
    found = []
    for key, rows in history.sort_values("step_begin", kind="stable").groupby(
        ["layer", "stream"], observed=True, sort=False
    ):
        layer, stream = (str(part) for part in key)  # type: ignore[union-attr]
        words = rows["word_bits"].to_numpy(dtype=float)
        found.append(
            StreamHistory(
                layer=layer,
                stream=stream,
                elements=elements.get((layer, stream_and_pass(stream)[0]), 1),
                begin=rows["step_begin"].to_numpy(),
                end=rows["step_end"].to_numpy(),
                word_bits=_mean_of_blocks(rows, words),
                is_float=rows["frac_bits"].isna().to_numpy() & (words == 32),
                shares={
                    name: rows[name].to_numpy(dtype=float, na_value=np.nan)
                    if name in rows
                    else np.full(len(rows), np.nan)
                    for name in SHARES
                },
            )
        )
    return sorted(
        found,
        key=lambda one: (layers.get(one.layer, len(layers)), STREAMS.index(stream_and_pass(one.stream)[0]), one.stream),
    )


def mean_bits(histories: Iterable[StreamHistory]) -> dict[str, float]:
    """Return the mean word length of each stream over all steps and elements."""
    sums: dict[str, list[float]] = {}
    for one in histories:
        entry = sums.setdefault(one.stream, [0.0, 0.0])
        entry[0] += one.mean(one.word_bits) * one.elements
        entry[1] += one.elements
    return {stream: bits / elements for stream, (bits, elements) in sums.items()}


def overall_bits(histories: Iterable[StreamHistory], streams: Iterable[str]) -> float:
    """Return the mean word length of all elements of the given streams."""
    chosen = [one for one in histories if one.stream in set(streams)]
    elements = sum(one.elements for one in chosen)
    return sum(one.mean(one.word_bits) * one.elements for one in chosen) / elements


def mean_bits_over_time(histories: Iterable[StreamHistory], edges: np.ndarray) -> dict[str, np.ndarray]:
    """Return, between neighboring ``edges`` (steps), the mean word length of each stream over all its elements."""
    sums: dict[str, np.ndarray] = {}
    for one in histories:
        means = one.binned(one.word_bits, edges)
        known = np.where(np.isnan(means), 0, one.elements)
        entry = sums.setdefault(one.stream, np.zeros((2, len(means))))
        entry += [np.nan_to_num(means) * known, known]
    return {
        stream: np.divide(bits, elements, out=np.full(len(bits), np.nan), where=elements > 0)
        for stream, (bits, elements) in sums.items()
    }


def bits_change(histories: Iterable[StreamHistory]) -> bool:
    """Return whether a stream of a layer has more than one word length over time."""
    return any(np.unique(one.word_bits).size > 1 for one in histories)


def is_float(histories: Iterable[StreamHistory]) -> bool:
    """Return whether every stream that feeds a GEMM is float32 all the time."""
    return all(bool(one.is_float.all()) for one in histories if stream_and_pass(one.stream)[0] not in _MEMORY_ONLY)


def _mean_of_blocks(rows: "pd.DataFrame", words: np.ndarray) -> np.ndarray:
    """Return the word lengths; where blocks of a tensor differ in theirs, the mean over its elements."""
    if "bits_histogram" not in rows:
        return words
    texts = rows["bits_histogram"].astype(object).where(rows["bits_histogram"].notna(), None).tolist()
    means = {
        text: sum(bits * share for bits, share in parse_histogram(text).items())
        for text in set(texts)
        if text is not None
    }
    return np.array([means.get(text, word) for text, word in zip(texts, words.tolist(), strict=True)])


def _elements(workload: "pd.DataFrame") -> dict[tuple[str, str], int]:
    """Return the elements of each tensor of a step, from the forward GEMMs."""
    elements: dict[tuple[str, str], int] = {}
    forward = workload[workload["pass"] == "forward"]
    columns = zip(forward["layer"], forward["a_elements"], forward["b_elements"], forward["out_elements"], strict=True)
    for layer, activation, weight, out in columns:
        sizes = {"activation": activation, "weight": weight, "error": out}
        sizes |= dict.fromkeys(("gradient", "master", "momentum"), weight)
        for stream, size in sizes.items():
            elements[str(layer), stream] = elements.get((str(layer), stream), 0) + int(size)
    return elements
