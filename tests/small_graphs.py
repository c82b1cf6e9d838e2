"""Small ONNX graphs with the frame contract, whose every number is known."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

HEIGHT, WIDTH = 6, 8


def convolutions(path: Path, weights: Sequence[NDArray[np.float32]], bias: float = 0.5) -> Path:
    """Write frame → pixels / 255 → one 1×1 convolution after the other, `layer0.weight` and on → + `bias` → depth."""
    nodes = [
        helper.make_node("Cast", ["frame"], ["float"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["pixels"], name="transpose", perm=[0, 3, 1, 2]),
        helper.make_node("Div", ["pixels", "white"], ["x0"], name="div"),
    ]
    constants = {"white": np.float32(255), "one": np.array([1]), "bias": np.float32(bias)}
    for index, weight in enumerate(weights):
        constants[f"layer{index}.weight"] = weight[:, :, None, None].astype(np.float32)
        inputs = [f"x{index}", f"layer{index}.weight"]
        nodes.append(helper.make_node("Conv", inputs, [f"x{index + 1}"], name=f"conv{index}"))
    last = f"x{len(weights)}"
    nodes.append(helper.make_node("Squeeze", [last, "one"], ["flat"], name="squeeze"))
    nodes.append(helper.make_node("Add", ["flat", "bias"], ["depth"], name="add"))
    return save(path, nodes, constants)


def save(path: Path, nodes: list[onnx.NodeProto], constants: dict[str, NDArray[np.generic] | np.float32]) -> Path:
    """Write a checked graph of those nodes, from `frame` (1, 6, 8, 3) to `depth` (1, 6, 8)."""
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, [1, HEIGHT, WIDTH, 3])],
        [helper.make_tensor_value_info("depth", TensorProto.FLOAT, [1, HEIGHT, WIDTH])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path


def frames(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Noise, (count, 6, 8, 3) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (count, HEIGHT, WIDTH, 3), dtype=np.uint8)


def expected(
    pictures: NDArray[np.uint8], weights: Sequence[NDArray[np.float32]], bias: float = 0.5
) -> NDArray[np.float64]:
    """What `convolutions` computes, in float64: (N, 6, 8)."""
    values = pictures.astype(np.float64) / 255
    for weight in weights:
        values = values @ weight.astype(np.float64).T
    return values[..., 0] + bias


def constants(model: onnx.ModelProto) -> dict[str, NDArray[np.generic]]:
    """The graph's weights by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
