"""Workloads from elsewhere: layer shapes, SCALE-Sim topologies, ONNX and QONNX graphs."""

from fxpsim.cost.workloads.training import Conv, training_workload

__all__ = ["Conv", "training_workload"]
