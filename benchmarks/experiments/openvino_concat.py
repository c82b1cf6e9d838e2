"""The smallest graph that OpenVINO computes wrongly in int8: signed Q/DQ pairs, a concat and a convolution.

    python benchmarks/experiments/openvino_concat.py

A value is concatenated with itself and summed by a 1×1 convolution with int8 weights of 1. Where the Q/DQ pairs at the
concat are signed, OpenVINO rounds what goes into the convolution to whole numbers, and not to multiples of the scale.
Prints a Markdown table: where the pairs stand, how far each engine is from the numbers rounded by hand, and the
precision in which OpenVINO computed the convolution.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import openvino
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SCALE = 0.05
ZERO_POINTS = {np.dtype(np.int8): 0, np.dtype(np.uint8): 128}
CHANNELS = 2
"""OpenVINO is right where every input of the concat has one channel."""
VALUES = np.array([-5.6, -2.4, -1.3, -0.4, 0.3, 0.6, 1.3, 1.7], np.float32)
"""All multiples of SCALE, and within what int8 holds."""

Type = np.dtype[np.int8] | np.dtype[np.uint8] | None
"""The integers of a Q/DQ pair; None where there is no pair."""


@dataclass(frozen=True)
class Placement:
    """Where Q/DQ pairs stand."""

    before: Type = None
    """The pair on each input of the concat."""
    after: Type = None
    """The pair between the concat and the convolution."""
    concat: bool = True
    """Whether there is a concat at all."""


INT8, UINT8 = np.dtype(np.int8), np.dtype(np.uint8)
PLACEMENTS = {
    "int8 after the concat": Placement(after=INT8),
    "int8 before the concat": Placement(before=INT8),
    "int8 before and after": Placement(before=INT8, after=INT8),
    "int8 before, uint8 after": Placement(before=INT8, after=UINT8),
    "uint8 after the concat": Placement(after=UINT8),
    "uint8 before the concat": Placement(before=UINT8),
    "uint8 before and after": Placement(before=UINT8, after=UINT8),
    "int8, no concat": Placement(after=INT8, concat=False),
}


def build_graph(placement: Placement) -> onnx.ModelProto:
    """From 'x', (1, 2, 1, N) float32, to 'y', (1, 1, 1, N) float32: the sum of all that is joined."""
    joined = CHANNELS * (2 if placement.concat else 1)
    constants: dict[str, NDArray[np.generic]] = {
        "ones": np.ones((1, joined, 1, 1), np.int8),
        "one": np.ones(1, np.float32),
        "none": np.zeros(1, np.int8),
        "scale": np.array(SCALE, np.float32),
        **{str(kind): np.array(zero, kind) for kind, zero in ZERO_POINTS.items()},
    }
    given, nodes = _paired("x", placement.before)
    if placement.concat:
        nodes.append(helper.make_node("Concat", [given, given], ["joined"], axis=1))
        given = "joined"
    given, pair = _paired(given, placement.after)
    weights = helper.make_node("DequantizeLinear", ["ones", "one", "none"], ["weights"], axis=0)
    nodes += [*pair, weights, helper.make_node("Conv", [given, "weights"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "concat",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, CHANNELS, 1, len(VALUES)])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 1, len(VALUES)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def _paired(tensor: str, kind: Type) -> tuple[str, list[onnx.NodeProto]]:
    """The name of a tensor behind a Q/DQ pair of that type, and the pair."""
    if kind is None:
        return tensor, []
    rounded, restored = f"{tensor}_rounded", f"{tensor}_restored"
    return restored, [
        helper.make_node("QuantizeLinear", [tensor, "scale", str(kind)], [rounded]),
        helper.make_node("DequantizeLinear", [rounded, "scale", str(kind)], [restored]),
    ]


def by_onnxruntime(model: onnx.ModelProto, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """ONNX Runtime's answer, every Q and DQ computed as it stands."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3  # it warns of constants that no node takes
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    answer: NDArray[np.float32] = session.run(["y"], {"x": x})[0]
    return answer


def by_openvino(model: onnx.ModelProto, x: NDArray[np.float32]) -> tuple[NDArray[np.float32], str]:
    """OpenVINO's answer on the CPU, and the precision of its convolution, such as 'I8'."""
    core = openvino.Core()
    read = core.read_model(model.SerializeToString())
    compiled = core.compile_model(read, "CPU", {"EXECUTION_MODE_HINT": "ACCURACY"})
    details = [node.get_rt_info() for node in compiled.get_runtime_model().get_ordered_ops()]
    kernels = {info["layerType"].astype(str): info["primitiveType"].astype(str) for info in details}
    precision = kernels["Convolution"].rpartition("_")[2]
    return compiled({"x": x})["y"], precision


def rows() -> Iterator[tuple[str, float, float, str]]:
    """Each placement, how far ONNX Runtime and OpenVINO are off, and the precision of OpenVINO's convolution."""
    x = np.broadcast_to(VALUES, (1, CHANNELS, 1, len(VALUES))).copy()
    for name, placement in PLACEMENTS.items():
        model = build_graph(placement)
        right = VALUES * CHANNELS * (2 if placement.concat else 1)
        answer, precision = by_openvino(model, x)
        yield name, _off(by_onnxruntime(model, x), right), _off(answer, right), precision


def _off(answer: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    return float(np.abs(answer - right).max())


def main() -> None:
    """Print the table."""
    lines = [
        f"OpenVINO {openvino.__version__.partition('-')[0]}, ONNX Runtime {onnxruntime.__version__}",
        "",
        "| Q/DQ pairs | ONNX Runtime is off by | OpenVINO is off by | OpenVINO's convolution |",
        "| --- | --: | --: | --- |",
        *(f"| {name} | {ours:.1e} | {theirs:.1e} | {precision} |" for name, ours, theirs, precision in rows()),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
