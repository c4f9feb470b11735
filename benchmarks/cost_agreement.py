"""Measure other tools on the work that tests/cost/data holds, each in an environment of its own.

    python benchmarks/cost_agreement.py scalesim | zigzag | accelforge | qonnx | torch   > measured.json

The tools do not need fxpsim and clash with each other: make one virtual environment for each. scalesim 3.0.0 needs
numpy below 2.4; zigzag-dse 3.9.1 needs six besides; accelforge 1.0.467 needs Python 3.12 and the program dot.
Published results of Bit Fusion are in its repository and are not measured here.
"""

import csv
import json
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from itertools import pairwise, product
from pathlib import Path
from typing import Any

# layer: filters, channels, out height, out width, kernel height, kernel width, stride
RESNET18 = {
    "conv1": (64, 3, 112, 112, 7, 7, 2),
    "conv2_1a": (64, 64, 56, 56, 3, 3, 1),
    "conv3_1a": (128, 64, 28, 28, 3, 3, 2),
    "conv4_1b": (256, 256, 14, 14, 3, 3, 1),
    "conv5_1b": (512, 512, 7, 7, 3, 3, 1),
    "fc": (1000, 512, 1, 1, 1, 1, 1),
}


def scalesim() -> list[dict[str, Any]]:
    """Stall-free cycles of GEMMs (m, k, n) on two arrays in three dataflows, and of three layers on 32 x 32."""
    small = [(37, 50, 45), (5, 7, 3), (64, 64, 64), (100, 33, 17), (128, 300, 70), (33, 129, 65)]
    large = [(3136, 576, 64), (196, 2304, 256), (1, 512, 1000)]
    cases = [(array, flow, small) for array, flow in product([(32, 32), (8, 16)], ["ws", "os", "is"])]
    cases += [((32, 32), flow, large) for flow in ("ws", "os")]
    return [row for array, flow, shapes in cases for row in _scalesim_run(array, flow, shapes)]


def _scalesim_run(array: tuple[int, int], flow: str, shapes: list[tuple[int, int, int]]) -> list[dict[str, Any]]:
    config = f"""
[general]
run_name = run
[architecture_presets]
ArrayHeight: {array[0]}
ArrayWidth: {array[1]}
IfmapSramSzkB: 64
FilterSramSzkB: 64
OfmapSramSzkB: 64
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Dataflow : {flow}
Bandwidth : 10
ReadRequestBuffer: 32
WriteRequestBuffer: 32
[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: 10
IfmapSRAMBankNum: 10
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: 10
FilterSRAMBankNum: 10
FilterSRAMBankPort: 2
[sparsity]
SparsitySupport : false
SparseRep : ellpack_block
OptimizedMapping : false
BlockSize : 8
RandomNumberGeneratorSeed : 40
[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "run.cfg").write_text(config.lstrip(), encoding="utf-8")
        rows = [f"gemm{number},{m},{n},{k}," for number, (m, k, n) in enumerate(shapes)]
        (place / "shapes.csv").write_text("\n".join(["Layer,M,N,K,", *rows]) + "\n", encoding="utf-8")
        (place / "layout.csv").write_text("Layer name, a\n", encoding="utf-8")
        command = [sys.executable, "-m", "scalesim.scale", "-c", "run.cfg", "-t", "shapes.csv", "-l", "layout.csv"]
        subprocess.run([*command, "-p", "out", "-i", "gemm"], cwd=place, check=True, stdout=subprocess.DEVNULL)
        with (place / "out/run/COMPUTE_REPORT.csv").open(encoding="utf-8") as file:
            report = list(csv.DictReader(file, skipinitialspace=True))
    head = {"rows": array[0], "columns": array[1], "dataflow": flow}
    return [
        head | {"m": m, "k": k, "n": n, "cycles": int(float(row["Total Cycles"]))}
        for (m, k, n), row in zip(shapes, report, strict=True)
    ]


def zigzag() -> list[dict[str, Any]]:
    """Latency and energy of six layers on the shipped tpu_like hardware, search for latency."""
    import yaml
    import zigzag
    from zigzag.api import get_hardware_performance_zigzag

    inputs = Path(zigzag.__file__).parent / "inputs"
    found = []
    for name, (filters, channels, high, wide, kernel_high, kernel_wide, stride) in RESNET18.items():
        node = {
            "id": 0,
            "name": name,
            "operator_type": "Conv",
            "equation": "O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]",
            "dimension_relations": [f"ix={stride}*ox+1*fx", f"iy={stride}*oy+1*fy"],
            "loop_dims": ["B", "K", "C", "OY", "OX", "FY", "FX"],
            "loop_sizes": [1, filters, channels, high, wide, kernel_high, kernel_wide],
            "operand_precision": {"W": 8, "I": 8, "O": 16, "O_final": 8},
            "operand_source": {"I": 0, "W": 0},
        }
        with tempfile.TemporaryDirectory() as folder:
            layer = Path(folder) / "layer.yaml"
            layer.write_text(yaml.safe_dump([node]), encoding="utf-8")
            energy, latency, models = get_hardware_performance_zigzag(
                str(layer),
                str(inputs / "hardware/tpu_like.yaml"),
                str(inputs / "mapping/tpu_like.yaml"),
                opt="latency",
                dump_folder=folder,
                loma_show_progress_bar=False,
            )
        mac_energy = models[0][1][0][0].mac_energy
        found.append({"layer": name, "latency_cycles": latency, "energy_pj": energy, "mac_energy_pj": mac_energy})
    return found


ACCELFORGE = """
arch:
  nodes:
  - !Memory
    name: MainMemory
    size: inf
    leak_power: 0
    area: 0
    tensors: {{keep: ~Intermediates, may_keep: All}}
    actions: [{{name: read, energy: 20.3, throughput: 64}}, {{name: write, energy: 20.3, throughput: 64}}]
  - !Memory
    name: GlobalBuffer
    size: 2*1024*1024*8
    leak_power: 0
    area: 0
    tensors: {{keep: input | output, may_keep: input | output}}
    actions: [{{name: read, energy: 1, throughput: inf}}, {{name: write, energy: 1, throughput: inf}}]
  - !Container
    name: ProcessingElement
    spatial:
    - {{name: reuse_input, fanout: 32, reuse: input}}
    - {{name: reuse_output, fanout: 32, reuse: output}}
  - !Memory
    name: Register
    size: 128*8
    leak_power: 0
    area: 0
    tensors: {{keep: weight}}
    actions: [{{name: read, energy: 0.01, throughput: inf}}, {{name: write, energy: 0.01, throughput: inf}}]
  - !Compute
    name: MAC
    leak_power: 0
    area: 0
    actions: [{{name: compute, energy: 0.2, throughput: 1}}]
workload:
  iteration_space_shape:
    k: 0 <= k < {0}
    c: 0 <= c < {1}
    p: 0 <= p < {2}
    q: 0 <= q < {3}
    r: 0 <= r < {4}
    s: 0 <= s < {5}
  bits_per_value: {{All: 8}}
  einsums:
  - name: Conv
    tensor_accesses:
    - {{name: I, projection: {{H: {row}, W: {column}, C: c}}}}
    - {{name: Wt, projection: {{K: k, C: c, R: r, S: s}}}}
    - {{name: O, projection: {{K: k, P: p, Q: q}}, output: True}}
    renames: {{input: I, weight: Wt, output: O}}
"""


def accelforge() -> list[dict[str, Any]]:
    """Latency of five layers on the target above, search for latency."""
    import accelforge as af

    found = []
    for name, shape in RESNET18.items():
        if name == "conv1":
            continue
        stride = "" if shape[6] == 1 else f"{shape[6]}*"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "spec.yaml"
            path.write_text(ACCELFORGE.format(*shape, row=f"{stride}p + r", column=f"{stride}q + s"), encoding="utf-8")
            spec = af.Spec.from_yaml(str(path))
        spec.mapper.metrics = af.Metrics.LATENCY
        found.append({"layer": name, "latency_cycles": float(spec.map_workload_to_arch().latency())})
    return found


def qonnx() -> list[dict[str, Any]]:
    """Cost of one convolution between two Quant nodes."""
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper
    from qonnx.util.inference_cost import inference_cost

    # activation bits, weight bits, groups, channels, filters, size, kernel, stride
    cases = [(a, b, 1, 64, 64, 56, 3, 1) for a, b in ((8, 8), (4, 4), (8, 4), (4, 8), (2, 8), (6, 3))]
    cases += [(8, 8, 64, 64, 64, 56, 3, 1), (5, 4, 1, 32, 48, 14, 1, 1), (8, 2, 1, 32, 64, 28, 3, 2)]
    found = []
    for a, b, groups, channels, filters, size, kernel, stride in cases:
        nodes, constants = (
            [],
            [numpy_helper.from_array(np.ones((filters, channels // groups, kernel, kernel), "f"), "w")],
        )
        for source, bits in (("x", a), ("w", b)):
            names = [f"{source}_scale", f"{source}_zero", f"{source}_bits"]
            values = (1.0, 0.0, float(bits))
            constants += [numpy_helper.from_array(np.float32(v), n) for v, n in zip(values, names, strict=True)]
            options = {"narrow": 0, "signed": 1, "rounding_mode": "ROUND", "domain": "qonnx.custom_op.general"}
            nodes.append(helper.make_node("Quant", [source, *names], [f"{source}q"], **options))
        pads, out = [kernel // 2] * 4, (size + 2 * (kernel // 2) - kernel) // stride + 1
        shape = {"kernel_shape": [kernel] * 2, "pads": pads, "strides": [stride] * 2, "group": groups}
        nodes.append(helper.make_node("Conv", ["xq", "wq"], ["y"], dilations=[1, 1], **shape))
        ends = [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, dimensions)
            for name, dimensions in (("x", [1, channels, size, size]), ("y", [1, filters, out, out]))
        ]
        graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], constants)
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "net.onnx")
            onnx.save(helper.make_model(graph, opset_imports=opsets), path)
            cost = inference_cost(path, discount_sparsity=False, cost_breakdown=False)
        cost = cost.get("total_cost", cost)
        totals = {name: int(cost[name]) for name in ("total_bops", "total_macs", "total_mem_w_bits")}
        keys = ("a_bits", "b_bits", "groups", "channels", "filters", "size", "kernel", "stride")
        found.append(dict(zip(keys, (a, b, groups, channels, filters, size, kernel, stride), strict=True)) | totals)
    return found


def torch() -> list[dict[str, Any]]:
    """FLOPs that torch counts for ResNet-18, forward and forward with backward, batch 1 and 2."""
    import torch
    from torch import nn
    from torch.utils.flop_counter import FlopCounterMode

    class Block(nn.Module):
        def __init__(self, channels: int, filters: int, stride: int) -> None:
            super().__init__()
            self.first = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
            self.second = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
            short = stride == 1 and channels == filters
            self.side = nn.Identity() if short else nn.Conv2d(channels, filters, 1, stride, bias=False)

        def forward(self, x: Any) -> Any:
            return torch.relu(self.second(torch.relu(self.first(x))) + self.side(x))

    widths = [64, 64, 64, 128, 128, 256, 256, 512, 512]
    pairs = list(pairwise(widths))
    body = [Block(channels, filters, 1 if channels == filters else 2) for channels, filters in pairs]
    head = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    model = nn.Sequential(*head, *body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))
    found = []
    for batch in (1, 2):
        images = torch.randn(batch, 3, 224, 224)
        with FlopCounterMode(display=False) as forward:
            model(images)
        with FlopCounterMode(display=False) as both:
            model(images).sum().backward()
        counts = {"forward_flops": forward.get_total_flops(), "forward_backward_flops": both.get_total_flops()}
        found.append({"batch": batch} | counts)
    return found


TOOLS = {"scalesim": scalesim, "zigzag": zigzag, "accelforge": accelforge, "qonnx": qonnx, "torch": torch}
PACKAGES = {"zigzag": "zigzag-dse"}


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1] not in TOOLS:
        sys.exit(__doc__)
    name = sys.argv[1]
    start = time.perf_counter()
    rows = TOOLS[name]()
    package = PACKAGES.get(name, name)
    tool = {"tool": f"{package} {version(package)}", "seconds": round(time.perf_counter() - start, 1)}
    sys.stdout.write(json.dumps(tool | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
