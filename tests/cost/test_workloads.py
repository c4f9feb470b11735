"""Workloads from SCALE-Sim topologies and ONNX graphs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fxpsim.cost import price
from fxpsim.cost.workloads import Conv, from_onnx, from_scalesim, training_workload
from fxpsim.errors import UserError

onnx = pytest.importorskip("onnx")


def test_scalesim_convolutions(tmp_path: Path) -> None:
    path = tmp_path / "net.csv"
    header = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,"
    path.write_text(f"{header}\nConv1, 58, 58, 3, 3, 64, 64, 1,\n\nConv2,57,57,3,3,64,128,2,1:2,\n", encoding="utf-8")
    rows = from_scalesim(path, batch=2)[["layer", "m", "k", "n", "a_elements", "kernel_positions"]].values.tolist()
    assert rows == [["Conv1", 6272, 576, 64, 430592, 9], ["Conv2", 1568, 576, 128, 415872, 9]]
    training = from_scalesim(path, training=True)
    assert training["pass"].tolist() == ["forward", "forward", "input_grad", "weight_grad", "weight_grad"]


def test_scalesim_matrix_products_by_pass(tmp_path: Path) -> None:
    path = tmp_path / "gemm.csv"
    rows = ["l1_fwd,10,20,30,", "l1_input_grad,10,30,20,", "l1_weight_grad,30,20,10,"]
    path.write_text("\n".join(["Layer,M,N,K,", *rows]) + "\n", encoding="utf-8")
    frame = from_scalesim(path, batch=4)
    assert frame[["layer", "pass", "m", "n", "k"]].values.tolist() == [
        ["l1", "forward", 40, 20, 30],
        ["l1", "input_grad", 40, 30, 20],
        ["l1", "weight_grad", 30, 20, 40],
    ]
    with pytest.raises(UserError, match="do not say which passes"):
        from_scalesim(path, training=True)


@pytest.mark.parametrize("row", ["l1, 10, 20", "l1, 10, 0, 5,", "l1, a, b, c", "l1, 1, 1, 3, 3, 1, 1, 0,"])
def test_bad_topologies(tmp_path: Path, row: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(f"Layer,M,N,K,\n{row}\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        from_scalesim(path)
    assert "row 0" in caught.value.where
    with pytest.raises(UserError, match="cannot read"):
        from_scalesim(tmp_path / "none.csv")


def quant(name: str, source: str, bits: int) -> tuple[Any, list[Any]]:
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    node = helper.make_node(
        "Quant",
        [source, f"{name}_s", f"{name}_z", f"{name}_b"],
        [name],
        domain="qonnx.custom_op.general",
        narrow=0,
        signed=1,
        rounding_mode="ROUND",
    )
    constants = [
        numpy_helper.from_array(np.array(value, np.float32), f"{name}_{key}")
        for key, value in (("s", 1.0), ("z", 0.0), ("b", float(bits)))
    ]
    return node, constants


@pytest.fixture
def model() -> Any:
    """Return a QONNX graph: quantized convolution of 2 groups, stride 2; max pool; float Gemm."""
    helper, numpy_helper, float32 = onnx.helper, onnx.numpy_helper, onnx.TensorProto.FLOAT
    (quant_x, constants_x), (quant_w, constants_w) = quant("xq", "x", 5), quant("wq", "w", 3)
    nodes = [
        quant_x,
        quant_w,
        helper.make_node("Conv", ["xq", "wq"], ["y"], name="conv", pads=[1, 1, 1, 1], strides=[2, 2], group=2),
        helper.make_node("Relu", ["y"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("Gemm", ["f", "v"], ["o"], name="fc", transB=1),
    ]
    constants = [
        *constants_x,
        *constants_w,
        numpy_helper.from_array(np.zeros((6, 2, 3, 3), np.float32), "w"),
        numpy_helper.from_array(np.zeros((7, 96), np.float32), "v"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", float32, ["batch", 4, 8, 8])],
        [helper.make_tensor_value_info("o", float32, ["batch", 7])],
        constants,
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
    return helper.make_model(graph, opset_imports=opsets)


def test_qonnx_graph(model: Any, tmp_path: Path) -> None:
    onnx.save(model, str(tmp_path / "net.onnx"))
    found = from_onnx(tmp_path / "net.onnx", batch=3)
    expected = [
        Conv(
            name="conv",
            batch=3,
            channels=4,
            filters=6,
            input_height=8,
            input_width=8,
            kernel=(3, 3),
            stride=(2, 2),
            padding=(1, 1),
            groups=2,
        ),
        Conv(name="fc", batch=3, channels=96, filters=7, op="matmul"),
    ]
    assert list(found.layers) == expected
    assert found.workload.equals(training_workload(expected, forward_only=True))
    assert dict(found.bits) == {("conv", "activation"): 5, ("conv", "weight"): 3}
    assert found.float_streams == ("fc: activation", "fc: weight")
    result = price(found.workload, found.history(), "int8_systolic_32x32")
    macs = 3 * 16 * 18 * 6
    assert result.totals["bit_ops"] == macs * 15 + 3 * 96 * 7 * 1024
    trained = from_onnx(model, batch=3, training=True)
    assert price(trained.workload, trained.history(4), "int8_systolic_32x32").totals["macs"] == 4 * (
        2 * macs + 3 * 2016
    )


def test_integer_types_of_quantize_linear() -> None:
    helper, numpy_helper, float32 = onnx.helper, onnx.numpy_helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "s", "zw"], ["e"]),
        helper.make_node("MatMul", ["d", "e"], ["o"]),
    ]
    constants = [
        numpy_helper.from_array(np.array(0.5, np.float32), "s"),
        numpy_helper.from_array(np.array(0, np.uint8), "z"),
        numpy_helper.from_array(np.array(0, np.int8), "zw"),
        numpy_helper.from_array(np.zeros((4, 5), np.int8), "w"),
    ]
    inputs = [helper.make_tensor_value_info("x", float32, [2, 3, 4])]
    graph = helper.make_graph(nodes, "net", inputs, [helper.make_tensor_value_info("o", float32, [2, 3, 5])], constants)
    found = from_onnx(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]))
    assert (found.layers[0].batch, found.layers[0].channels, found.layers[0].filters) == (6, 4, 5)
    assert dict(found.bits) == {("o", "activation"): 8, ("o", "weight"): 8}


def test_bad_graphs(model: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="shape of tensor 'xq' is not known"):
        from_onnx(model)
    (tmp_path / "bad.onnx").write_bytes(b"not a graph")
    with pytest.raises(UserError, match="cannot read the graph"):
        from_onnx(tmp_path / "bad.onnx")
    del model.graph.node[2:]
    with pytest.raises(UserError, match="no Conv, Gemm or MatMul"):
        from_onnx(model)
