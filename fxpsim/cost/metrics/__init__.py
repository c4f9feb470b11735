"""Published cost metrics from the same history, each with its own convention.

They disagree with each other by design: each reproduces what its authors count, no more.
"""

from typing import TYPE_CHECKING

from fxpsim.cost.metrics.adept import adept, iso_speedup, marvin
from fxpsim.cost.metrics.adept_overhead import Counting, adept_overhead, adept_with_overhead
from fxpsim.cost.metrics.apt import cpu_speedup, width_shares
from fxpsim.cost.metrics.bits import cpt, ebops, fractrain, qonnx_bops
from fxpsim.cost.metrics.dynasty import dynasty
from fxpsim.cost.metrics.joined import Metric, Record, record

if TYPE_CHECKING:
    from fxpsim.records.workload import TableLike

__all__ = [
    "Counting",
    "Metric",
    "Record",
    "adept",
    "adept_overhead",
    "adept_with_overhead",
    "cpt",
    "cpu_speedup",
    "dynasty",
    "ebops",
    "fractrain",
    "iso_speedup",
    "marvin",
    "published_metrics",
    "qonnx_bops",
    "record",
    "width_shares",
]


def published_metrics(workload: "TableLike", history: "TableLike", *, batch: int) -> list[Metric]:
    """Return every metric; ``batch`` is the number of samples of a step. Inference has none of the training metrics.

    Examples
    --------
    >>> from fxpsim.cost import baseline_history
    >>> from fxpsim.cost.workloads import Conv, training_workload
    >>> work = training_workload([Conv(name="fc", batch=64, channels=32, filters=32)])
    >>> found = published_metrics(work, baseline_history(work, word_bits=8, steps=10), batch=64)
    >>> {metric.name: metric.value for metric in found}["fractrain_cp"]
    0.0625
    """
    joined = record(workload, history)
    found = [*adept(joined), *marvin(joined), ebops(joined, batch=batch), qonnx_bops(joined, batch=batch)]
    return [*found, *fractrain(joined), cpt(joined), *dynasty(joined)] if joined.trained else found
