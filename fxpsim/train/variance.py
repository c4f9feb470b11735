r"""The variance laboratory: what quantizing errors does to gradients, measured on the gradients of a run.

Two measurements, on a session as it stands:

*Of a quantizer* (:func:`quantizer_variance`): the error tensors E of a batch are taken from the tape, one per
layer, and quantized again and again; the variance :math:`\sum_{ij} \mathrm{Var}[Q(E)_{ij}]` stands beside the bound
:math:`\frac14 \sum \mathrm{step}^2` (a quarter of a squared step for each element, mixed by the inverse of a transform)
and the prediction of a sixth, the mean over fractions.

*Of a gradient* (:func:`gradient_variance`), the protocol of StatQuant's authors: :math:`\bar g` is the mean over
batches of the gradient with exact errors; the sample variance is the mean of :math:`\|g - \bar g\|^2` with exact
errors, the overall variance that with quantized ones, and the difference is due to quantization. The forward pass is
quantized in both.

Source: Chen et al., "A statistical framework for low-bitwidth training of deep neural networks", NeurIPS 2020 (arXiv
2010.14298), after the authors' code; drawing several times on each batch is ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from fxpsim.numerics import RandomBits
from fxpsim.optim import GradientSum
from fxpsim.quantizers import Encoded, Linear, build, tensor_quantizers
from fxpsim.train.session import Session

Batch = tuple[np.ndarray, np.ndarray]
METHODS: Mapping[str, Mapping[str, Any]] = {
    "PTQ": {"quantizer": "statquant_ptq"},
    "PTQ, zero not aligned": {"quantizer": "statquant_ptq", "zero_aligned": False},
    "PSQ": {"quantizer": "statquant_psq"},
    "BHQ": {"quantizer": "statquant_bhq"},
}


class _Watching:
    """The precision of a run that keeps every error before it is quantized, and may leave errors exact."""

    def __init__(self, precision: Any, *, exact: bool) -> None:
        self._precision, self.exact = precision, exact
        self.errors: dict[str, np.ndarray] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._precision, name)

    def quantizer(self, layer: str, stream: str) -> Any:
        if self.exact and stream.partition("@")[0] == "error":
            return None
        return self._precision.quantizer(layer, stream)

    def apart(self, layer: str, stream: str) -> bool:
        return not (self.exact and stream == "error") and self._precision.apart(layer, stream)

    def wants(self, layer: str, stream: str) -> bool:
        return stream.partition("@")[0] == "error" and layer not in self.errors

    def observe(self, layer: str, stream: str, array: np.ndarray, frac_bits: int | None) -> None:
        values = array.astype(np.float64)
        self.errors[layer] = values if frac_bits is None else np.ldexp(values, -frac_bits)

    def wants_slope(self, layer: str, stream: str) -> bool:
        return False

    def record(self, *_: Any) -> None:
        pass

    def record_codes(self, *_: Any) -> None:
        pass


@contextmanager
def _watching(session: Session, *, exact: bool) -> Iterator[_Watching]:
    """Put a watching precision into the engine; running statistics are put back at the end."""
    before, watching = session.engine.precision, _Watching(session.precision, exact=exact)
    kept = [(buffer.master, buffer.master.weights.copy()) for buffer in session.buffers if buffer.master is not None]
    session.engine.precision = watching  # type: ignore[assignment]
    try:
        yield watching
    finally:
        session.engine.precision = before
        for master, weights in kept:
            master.weights = weights


def errors_of(session: Session, batch: Batch) -> dict[str, np.ndarray]:
    """Return the gradient of the loss with respect to every layer's output, unquantized, with exact errors above it.

    Parameters
    ----------
    session : Session
        Stays as it is.
    batch : (ndarray, ndarray)
        Inputs and targets as the data set stores them.
    """
    with _watching(session, exact=True) as watching:
        _gradients(session, batch, 0)
    return watching.errors


def quantizer_variance(
    errors: Mapping[str, np.ndarray],
    *,
    methods: Mapping[str, Mapping[str, Any]] = METHODS,
    bits: Sequence[int] = (8,),
    draws: int = 16,
    seed: int = 1,
) -> list[dict[str, Any]]:
    """Return the variance of quantizers on tensors, with its bound: one row per layer, method and word length.

    Parameters
    ----------
    errors : mapping of str to ndarray
        Layer -> tensor, axis 0 the samples.
    methods : mapping
        Name -> table of a tensor quantizer with stochastic rounding.
    bits : sequence of int
        Word lengths.
    draws : int
        Quantizations of every tensor.
    seed : int
        Of the random words.

    Returns
    -------
    list of dict
        ``layer``, ``method``, ``word_bits``, ``variance``, ``predicted``, ``bound``, ``power``; squared units of the
        tensor, summed over its elements. ``power`` is that of the tensor itself, by which the others compare between
        layers.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((8, 64)).astype(np.float32)
    >>> (row,) = quantizer_variance({"fc": x}, methods={"PSQ": {"quantizer": "statquant_psq"}}, bits=[4])
    >>> 0.9 < row["variance"] / row["predicted"] < 1.1, row["variance"] < row["bound"]
    (True, True)
    """
    rows = []
    for layer, error in errors.items():
        x = error.astype(np.float32)
        power = float((x.astype(np.float64) ** 2).sum())
        for name, table in methods.items():
            quantizer = build(table, where=f"method {name}", among=tensor_quantizers)
            for word_bits in bits:
                total, bound = 0.0, 0.0
                for draw in range(draws):
                    random = RandomBits(seed=seed).derive("variance", layer, name, word_bits, draw)
                    encoded = quantizer.encode(x, bits=word_bits, random=random)
                    total += float(((encoded.value - quantizer.reference(x, bits=word_bits)) ** 2).sum())
                    bound = squared_steps(encoded) / 4
                row = {"layer": layer, "method": name, "word_bits": word_bits, "variance": total / draws}
                rows.append(row | {"predicted": bound * 4 / 6, "bound": bound, "power": power})
    return rows


def mean_rows(measured: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return the means over several tensors of each layer: rows of equal layer, method and word length.

    >>> rows = [[{"layer": "fc", "method": "PSQ", "word_bits": 4, "variance": v}] for v in (1.0, 3.0)]
    >>> mean_rows(rows)
    [{'layer': 'fc', 'method': 'PSQ', 'word_bits': 4, 'variance': 2.0}]
    """
    keys = ("layer", "method", "word_bits")
    return [
        {key: row[key] if key in keys else sum(other[key] for other in same) / len(same) for key in row}
        for row, same in zip(measured[0], zip(*measured, strict=True), strict=True)
    ]


def squared_steps(encoded: Encoded) -> float:
    """Return the sum over elements of the squared step, carried through the inverse of a transform."""
    reading = encoded.linear("squared_steps")
    assert isinstance(reading, Linear)
    squares = reading.scale.full(encoded.shape)[0].reshape(len(encoded.codes), -1) ** 2
    if encoded.transform is None:
        return float(squares.sum())
    inverse = encoded.transform.inverse(np.eye(len(squares)))
    return float(((inverse**2) @ squares).sum())


def gradient_variance(session: Session, batches: Sequence[Batch], *, draws: int = 1) -> list[dict[str, Any]]:
    """Return the variance of every layer's weight gradient over batches, split by its cause.

    Parameters
    ----------
    session : Session
        Stays as it is; its method says how errors are quantized.
    batches : sequence of (ndarray, ndarray)
        At least two.
    draws : int
        Quantizations of every batch.

    Returns
    -------
    list of dict
        ``layer``, ``sample_variance``, ``overall_variance``, ``quantization_variance``; squared units of the gradient.
    """
    with _watching(session, exact=True):
        exact = [_gradients(session, batch, 0) for batch in batches]
    mean = {layer: np.add.reduce([g[layer] for g in exact]) / len(exact) for layer in exact[0]}
    sample = {layer: _spread([g[layer] for g in exact], mean[layer]) for layer in mean}
    drawn: dict[str, list[np.ndarray]] = {layer: [] for layer in mean}
    with _watching(session, exact=False):
        for draw in range(draws):
            for index, batch in enumerate(batches):
                for layer, g in _gradients(session, batch, 1 + draw * len(batches) + index).items():
                    drawn[layer].append(g)
    rows = []
    for layer, center in mean.items():
        overall = _spread(drawn[layer], center)
        row = {"layer": layer, "sample_variance": sample[layer], "overall_variance": overall}
        rows.append(row | {"quantization_variance": overall - sample[layer]})
    return rows


def _spread(gradients: Sequence[np.ndarray], mean: np.ndarray) -> float:
    return float(np.mean([((g - mean) ** 2).sum() for g in gradients]))


def _gradients(session: Session, batch: Batch, draw: int) -> dict[str, np.ndarray]:
    """Run a batch forward and backward; return the weight gradients by layer."""
    precision, step = session.precision, session.precision.step
    precision.step = (1 << 40) + draw  # random words that no step of the run draws
    precision._casts.clear()
    total = GradientSum()
    session._bind(requires_grad=True)
    try:
        session._backward(*batch, total)
        vector = session.engine.vector
        weights = {p.path: p.layer for p in session.parameters if p.role == "weight"}
        return {weights[path]: vector.read(value) for path, value in total.mean(vector).items() if path in weights}
    finally:
        precision.step = step
        session._release()
