"""Workloads from elsewhere: layer shapes, SCALE-Sim topologies, ONNX and QONNX graphs."""

from fxpsim.cost.workloads.onnx_graph import OnnxWorkload, from_onnx
from fxpsim.cost.workloads.scalesim import from_scalesim
from fxpsim.records.training import Conv, training_workload

__all__ = ["Conv", "OnnxWorkload", "from_onnx", "from_scalesim", "training_workload"]
