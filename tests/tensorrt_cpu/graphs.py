"""Small graphs of the frame contract, `frame` uint8 (N, 8, 8, 3) to `depth` float32 (N, 8, 8), in every precision."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

SIDE = 8


def write_graph(path: Path, convolutions: tuple[str, ...] = ("fp32",), batch: int | str = 1) -> Path:
    """Write a graph of one 1×1 convolution after another, each in that precision; its depth is the frame's mean + 1."""
    nodes, constants = _head()
    tensor = "picture"
    for index, precision in enumerate(convolutions):
        tensor = _convolution(f"c{index}", tensor, precision, nodes, constants)
    constants["one"] = np.ones(1, np.float32)
    nodes += [node("ReduceMean", [tensor, "channels"], "mean", keepdims=0), node("Add", ["mean", "one"], "depth")]
    return save(path, nodes, constants, batch)


def save(path: Path, nodes: list[NodeProto], constants: dict[str, NDArray[Any]], batch: int | str = 1) -> Path:
    """Write a graph of these nodes."""
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, [batch, SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("depth", TensorProto.FLOAT, [batch, SIDE, SIDE])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def node(operator: str, inputs: list[str], output: str, **attributes: Any) -> NodeProto:
    """A node named like its output."""
    return helper.make_node(operator, inputs, [output], name=output, **attributes)


def _head() -> tuple[list[NodeProto], dict[str, NDArray[Any]]]:
    """The frame as float32 (N, 3, 8, 8) in `picture`: TensorRT takes uint8 only into a Cast."""
    nodes = [
        node("Cast", ["frame"], "float", to=TensorProto.FLOAT),
        node("Transpose", ["float"], "picture", perm=[0, 3, 1, 2]),
    ]
    return nodes, {"channels": np.array([1], np.int64)}


def _convolution(
    name: str, tensor: str, precision: str, nodes: list[NodeProto], constants: dict[str, NDArray[Any]]
) -> str:
    kernel = np.eye(3, dtype=np.float32)[:, :, None, None]
    if precision == "int8":
        return _quantised(name, tensor, nodes, constants)
    if precision == "fp32":
        constants[f"{name}_w"] = kernel
        nodes.append(node("Conv", [tensor, f"{name}_w"], name))
        return name
    constants[f"{name}_w"] = kernel.astype(np.float16)
    nodes += [
        node("Cast", [tensor], f"{name}_half", to=TensorProto.FLOAT16),
        node("Conv", [f"{name}_half", f"{name}_w"], f"{name}_out"),
        node("Cast", [f"{name}_out"], name, to=TensorProto.FLOAT),
    ]
    return name


def _quantised(name: str, tensor: str, nodes: list[NodeProto], constants: dict[str, NDArray[Any]]) -> str:
    scale, zero = [f"{name}_scale", f"{name}_w_scale"], f"{name}_zero"
    constants |= {
        scale[0]: np.array(2, np.float32),
        scale[1]: np.array(1 / 127, np.float32),
        zero: np.array(0, np.int8),
    }
    constants[f"{name}_w8"] = (127 * np.eye(3)[:, :, None, None]).astype(np.int8)
    nodes += [
        node("QuantizeLinear", [tensor, scale[0], zero], f"{name}_q"),
        node("DequantizeLinear", [f"{name}_q", scale[0], zero], f"{name}_x"),
        node("DequantizeLinear", [f"{name}_w8", scale[1], zero], f"{name}_w"),
        node("Conv", [f"{name}_x", f"{name}_w"], name),
    ]
    return name
