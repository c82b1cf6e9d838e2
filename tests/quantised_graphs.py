"""Small graphs with the frame contract, quantised as one engine or another wants it."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

import small_graphs

LAYERS = ("stem", "middle", "head")
"""The modules whose convolutions the graph has, each with a bias and a ReLU."""
_CHANNELS = (3, 16, 16, 1)


def convolutions(path: Path, kind: type[np.float32] | type[np.float16] = np.float32) -> Path:
    """Write frame → pixels / 255 → three convolutions with ReLUs, computed in `kind` → depth."""
    generator = np.random.default_rng(0)
    to = TensorProto.FLOAT if kind is np.float32 else TensorProto.FLOAT16
    constants: dict[str, Any] = {"white": kind(255), "one": np.array([1])}
    nodes = [
        helper.make_node("Cast", ["frame"], ["float"], name="cast", to=to),
        helper.make_node("Transpose", ["float"], ["pixels"], name="transpose", perm=[0, 3, 1, 2]),
        helper.make_node("Div", ["pixels", "white"], ["x0"], name="div"),
    ]
    for index, name in enumerate(LAYERS):
        shape = (_CHANNELS[index + 1], _CHANNELS[index], 3, 3)
        constants[f"{name}.weight"] = generator.uniform(0, 0.1, shape).astype(kind)
        constants[f"{name}.bias"] = np.full(shape[0], 0.1, kind)
        inputs = [f"x{index}", f"{name}.weight", f"{name}.bias"]
        nodes.append(helper.make_node("Conv", inputs, [f"y{index}"], name=f"node_{index}", pads=[1] * 4))
        nodes.append(helper.make_node("Relu", [f"y{index}"], [f"x{index + 1}"], name=f"relu_{index}"))
    nodes.append(helper.make_node("Squeeze", [f"x{len(LAYERS)}", "one"], ["flat"], name="squeeze"))
    nodes.append(helper.make_node("Cast", ["flat"], ["depth"], name="out", to=TensorProto.FLOAT))
    return small_graphs.save(path, nodes, constants)


class _Frames(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self) -> None:
        self._left = iter([{"frame": frame[None]} for frame in small_graphs.frames(8)])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        return next(self._left, None)


def for_the_cpu(path: Path) -> Path:
    """Write `convolutions` as ONNX Runtime's own quantiser does: unsigned activations, outputs quantised too."""
    plain = convolutions(path.with_suffix(".float.onnx"))
    quantize_static(
        plain,
        path,
        _Frames(),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv", "Relu"],
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    plain.unlink()
    return path


def without_output(path: Path, tensor: str) -> Path:
    """Take the Q/DQ pair of the tensor of that name away, in place: what reads it reads it unrounded."""
    model = onnx.load(path)
    (quantise,) = (node for node in model.graph.node if node.op_type == "QuantizeLinear" and node.input[0] == tensor)
    (back,) = (node for node in model.graph.node if node.input[0] == quantise.output[0])
    model.graph.node.remove(quantise)
    model.graph.node.remove(back)
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name == back.output[0]:
                node.input[index] = tensor
    onnx.save(model, path)
    return path


def for_tensorrt(path: Path) -> Path:
    """Write `convolutions` with signed pairs before each layer alone, and biases in float."""
    model = onnx.load(convolutions(path))
    graph = model.graph
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "Conv":
            data, weight = node.input[:2]
            stored = weights[weight]
            scale = np.float32(np.abs(stored).max() / 127)
            constants = {
                f"{data}_scale": np.float32(1 / 32),
                f"{data}_zero": np.int8(0),
                f"{weight}_scale": scale,
                f"{weight}_quantized": np.round(stored / scale).astype(np.int8),
            }
            graph.initializer.extend(numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items())
            pair = [f"{data}_scale", f"{data}_zero"]
            nodes += [
                helper.make_node("QuantizeLinear", [data, *pair], [f"{data}_q"], name=f"{data}_q"),
                helper.make_node("DequantizeLinear", [f"{data}_q", *pair], [f"{data}_dq"], name=f"{data}_dq"),
                helper.make_node(
                    "DequantizeLinear",
                    [f"{weight}_quantized", f"{weight}_scale"],
                    [f"{weight}_dq"],
                    name=f"{weight}_dq",
                ),
            ]
            node.input[0], node.input[1] = f"{data}_dq", f"{weight}_dq"
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, path)
    return path
