"""Metrics that count bit products: FracTrain, CPT, HGQ's EBOPs, QONNX."""

from fxpsim.cost.arrays import float_total
from fxpsim.cost.metrics.joined import Metric, Record


def training_bit_operations(joined: Record) -> float:
    """Return ``sum m (b_A b_W + b_E b_W + b_A b_E)`` over layers and steps, the first layer's three GEMMs included."""
    total = 0.0
    pairs = (("activation", "forward"), ("weight", "forward"), ("error", "input_grad"), ("weight", "input_grad"))
    for macs, settings in joined.layers(*pairs, ("activation", "weight_grad"), ("error", "weight_grad")):
        bits = {name: states.mean_bits for name, states in settings.roles.items()}
        products = (
            bits["activation@forward"] * bits["weight@forward"]
            + bits["error@input_grad"] * bits["weight@input_grad"]
            + bits["activation@weight_grad"] * bits["error@weight_grad"]
        )
        total += float_total(macs * products, settings.steps)
    return total


def fractrain(joined: Record) -> list[Metric]:
    """Return FracTrain's computation percentage and effective MACs.

    ``cp = BitOPs / (3 m 32^2)`` as a share (8 x 8 bits: 6.25 %), effective MACs ``= BitOPs / 32^2``.
    Source: Fu et al., NeurIPS 2020, and the released code (GATECH-EIC/FracTrain).
    """
    bit_operations = training_bit_operations(joined)
    macs = 3.0 * sum(joined.macs.values()) * joined.steps
    convention = "FracTrain: three GEMMs of every layer, bit products over 32 x 32; float layers count 32 bits"
    return [
        Metric(name="fractrain_cp", value=bit_operations / 1024 / macs, unit="share of float32", convention=convention),
        Metric(name="fractrain_macs", value=bit_operations / 1024, unit="effective MACs", convention=convention),
    ]


def cpt(joined: Record) -> Metric:
    """Return CPT's BitOPs: ``m (b_f^2 + 2 b_f b_b)`` summed over layers and steps (Fu et al., ICLR 2021)."""
    return Metric(
        name="cpt_bitops",
        value=training_bit_operations(joined),
        unit="bit operations",
        convention="CPT: b_f^2 + 2 b_f b_b a MAC, the first layer's three GEMMs included, over all steps",
    )


def ebops(joined: Record, *, batch: int) -> Metric:
    """Return HGQ's effective bit operations of one inference at the last step: ``sum m b_A b_W`` (Chang et al., 2024).

    Word lengths include the sign; per-weight bits enter as the mean of the layer's ``bits_histogram``.
    """
    return Metric(
        name="ebops",
        value=_inference_bit_operations(joined) / batch,
        unit="bit operations per sample",
        convention="HGQ's EBOPs at layer granularity: mean activation bits x mean weight bits, last step",
    )


def qonnx_bops(joined: Record, *, batch: int) -> Metric:
    """Return QONNX's ``total_bops`` of one inference at the last step: ``MACs b_A b_W``, zeros not discounted."""
    return Metric(
        name="qonnx_bops",
        value=_inference_bit_operations(joined) / batch,
        unit="bit operations per sample",
        convention="QONNX inference_cost with discount_sparsity=False: padded positions counted, accumulation not",
    )


def _inference_bit_operations(joined: Record) -> float:
    total = 0.0
    for layer, macs in joined.macs.items():
        bits = [float(joined.last(layer, stream).mean_bits[0]) for stream in ("activation", "weight")]
        total += macs * bits[0] * bits[1]
    return total
