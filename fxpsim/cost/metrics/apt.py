"""APT: widths by layers and steps, and the training speed-up of a CPU, modeled and from measured GEMMs."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fxpsim.cost.arrays import Floats, Frame, float_total
from fxpsim.cost.metrics.joined import Metric
from fxpsim.cost.plan import ROLES, gemms_of
from fxpsim.cost.states import StreamStates, states_of
from fxpsim.cost.timeline import timeline_of
from fxpsim.errors import UserError
from fxpsim.records import as_history, as_workload

if TYPE_CHECKING:
    from fxpsim.records.workload import TableLike

KINDS = ("int8", "int16", "float32")
THROUGHPUT = {"int8": 4.0, "int16": 2.0, "float32": 1.0}
MODEL = "APT: each GEMM at the wider of its operands, above 16 bits as float32; GEMMs only (no quantization, no im2col)"


def width_shares(history: "TableLike") -> dict[str, dict[str, float]]:
    """Return stream -> word length (or ``float32``) -> share of layers and steps that had it.

    >>> row = {"step_begin": 0, "layer": "fc", "stream": "error", "frac_bits": 4, "nonzero_share": 1.0}
    >>> row |= {"saturated_share": 0.0, "underflow_share": 0.0}
    >>> width_shares([{**row, "step_end": 3, "word_bits": 8}, {**row, "step_begin": 3, "step_end": 4, "word_bits": 16}])
    {'error': {'8': 0.75, '16': 0.25}}
    """
    rows: Frame = as_history(history)
    steps = (rows["step_end"] - rows["step_begin"]).tolist()
    is_float = (rows["frac_bits"].isna() & (rows["word_bits"] == 32)).tolist()
    found: dict[str, dict[int, int]] = {}
    for stream, bits, floating, length in zip(
        rows["stream"].astype(str).tolist(), rows["word_bits"].tolist(), is_float, steps, strict=True
    ):
        own = found.setdefault(stream, {})
        key = 0 if floating else int(bits)
        own[key] = own.get(key, 0) + length
    return {
        stream: {str(width or "float32"): count / sum(own.values()) for width, count in sorted(own.items())}
        for stream, own in found.items()
    }


def cpu_speedup(
    workload: "TableLike", history: "TableLike", *, times: Iterable[Mapping[str, Any]] | None = None
) -> list[Metric]:
    r"""Return the training speed-up over float32 of a CPU with int8 and int16 GEMMs.

    Modeled: :math:`\sum m / \sum m / r(\max(n_a, n_b))` over layers, passes and steps, with a throughput r of 4 : 2 : 1
    for int8, int16 and float32. Measured: the same sum over the seconds that a machine takes for each GEMM.

    Parameters
    ----------
    workload, history : path, DataFrame or list of dict
        The tables of a run.
    times : iterable of dict, optional
        Measured GEMMs, as ``benchmarks/int_gemm_cpu.py --out`` writes them: ``layer``, ``pass`` and seconds of a step
        in each kind, ``int8_s``, ``int16_s``, ``float32_s``.

    Raises
    ------
    UserError
        If a GEMM of the workload was not measured.
    """
    bits = as_history(history)
    states, number = states_of(bits, None, keep_zeros=False)
    timeline = timeline_of(bits, states, number, "history")
    measured = None if times is None else {(row["layer"], row["pass"]): row for row in times}
    base = model = real_base = real = 0.0
    for (layer, of_pass), work in gemms_of(as_workload(workload)).items():
        names = ROLES[of_pass][:2]
        settings = timeline.settings({name: timeline.require(layer, name, of_pass) for name in names})
        kind = np.maximum(*(_kind(settings.roles[name]) for name in names))
        macs = float(sum(gemm.macs for gemm in work.gemms))
        speeds = np.array([THROUGHPUT[name] for name in KINDS])[kind]
        base += macs * float(settings.steps.sum())
        model += float_total(macs / speeds, settings.steps)
        if measured is not None:
            seconds = _seconds(measured, layer, of_pass)
            real_base += seconds[-1] * float(settings.steps.sum())
            real += float_total(seconds[kind], settings.steps)
    found = [
        Metric(
            name="apt_modeled_speedup",
            value=base / model,
            unit="ratio",
            convention=MODEL + "; throughput 4 : 2 : 1 for int8, int16 and float32",
        )
    ]
    if measured is None:
        return found
    convention = MODEL + "; seconds measured on one thread of a machine"
    return [*found, Metric(name="apt_measured_speedup", value=real_base / real, unit="ratio", convention=convention)]


def _kind(states: StreamStates) -> np.ndarray:
    """Return the place in ``KINDS`` of every state."""
    place = np.where(states.word_bits <= 8, 0, np.where(states.word_bits <= 16, 1, 2))
    return np.where(states.is_float, 2, place)


def _seconds(measured: Mapping[tuple[str, str], Mapping[str, Any]], layer: str, of_pass: str) -> Floats:
    row = measured.get((layer, of_pass))
    if row is None:
        raise UserError(
            f"the {of_pass} GEMM of layer {layer!r} was not measured",
            where="measured GEMM times",
            expected="the GEMMs of the same network",
            remedy="measure them: python benchmarks/int_gemm_cpu.py --recipe RECIPE --out FILE",
        )
    return np.array([float(row[f"{kind}_s"]) for kind in KINDS])
