"""INT8 by explicit Q/DQ, with the layers that suffer left in fp32."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import onnx
import onnx_ir as ir
from onnxruntime.quantization import QuantType
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from clipdepth.bundle.agreement import Agreement
from clipdepth.bundle.manifest import Exclusion
from clipdepth.errors import VerificationError
from clipdepth_export.reference import Track
from clipdepth_export.rounding import round_kernels
from clipdepth_export.topology import ARITHMETIC, layer_name, nodes_of, sensitive

Judge = Callable[[onnx.ModelProto, bool], Agreement]
"""Compares a graph's depth with the fp32 graph's on calibration frames: on a few of them (True), or on more."""
MOST_EXCLUDED = 0.5
"""The largest share of layers that may stay in fp32 in what is still called int8."""


@dataclass(frozen=True)
class Quantized:
    """An int8 graph and the layers that are not."""

    model: onnx.ModelProto
    excluded: list[Exclusion]


class Quantizer:
    """Puts Q/DQ pairs around layers of an fp32 graph: symmetric int8, per channel for weights, biases in fp32.

    Only what goes into a layer is quantised: what comes out reaches the activation and the addition after it in full
    precision, as TensorRT and OpenVINO fuse it. Biases stay float since TensorRT refuses a DequantizeLinear of int32.
    Kernels keep their sums, see `round_kernels`.
    """

    def __init__(self, model: onnx.ModelProto, ranges: TensorsData) -> None:
        self._model = ir.from_proto(model)
        round_kernels(self._model.graph)
        self._ranges = ranges
        self.layers = quantizable(self._model.graph)

    def __call__(self, layers: Iterable[str]) -> onnx.ModelProto:
        """A copy of the graph in which those layers are int8."""
        quantizer = QDQQuantizer(
            ir.to_proto(self._model),
            per_channel=True,
            reduce_range=False,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QInt8,
            tensors_range=self._ranges,
            nodes_to_quantize=list(layers),
            nodes_to_exclude=[],
            op_types_to_quantize=list(ARITHMETIC),
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "QuantizeBias": False,
                "OpTypesToExcludeOutputQuantization": list(ARITHMETIC),
            },
        )
        quantizer.quantize_model()
        _quantize_before_transposes(quantizer.model)
        quantizer.model.topological_sort()
        quantized: onnx.ModelProto = quantizer.model.model
        return quantized

    def name(self, layer: str) -> str:
        """What people know a layer by."""
        return layer_name(self._model.graph.node(layer))


def _quantize_before_transposes(model: ONNXModel) -> None:
    """Round before a transpose what is rounded after it, the picture above all, in place.

    It is the same, on a layout that convolutions take as it is: OpenVINO then moves nothing.
    """
    for transpose in [node for node in model.nodes() if node.op_type == "Transpose"]:
        rounding = _only_user(model, transpose, "QuantizeLinear")
        restored = rounding and _only_user(model, rounding, "DequantizeLinear")
        if rounding and restored:
            model.replace_input_of_all_nodes(restored.output[0], transpose.output[0])
            rounding.input[0], transpose.input[0] = transpose.input[0], restored.output[0]


def _only_user(model: ONNXModel, node: onnx.NodeProto, operator: str) -> onnx.NodeProto | None:
    """The node that takes what a node makes, if it is of that operator and nothing else takes it."""
    users = model.get_children(node)
    alone = [user.op_type for user in users] == [operator] and not model.is_graph_output(node.output[0])
    return users[0] if alone else None


def quantizable(graph: ir.Graph) -> list[str]:
    """The layers of arithmetic with a weight that may be rounded; products of two activations stay in fp32.

    So does a product with a vector, such as that of bins' probabilities with their depth, which has no channels.
    """
    keep = sensitive(graph)
    layers = [node for node in nodes_of(graph, *ARITHMETIC) if node not in keep]
    return [node.name or "" for node in layers if _is_kernel(node.inputs[1])]


def _is_kernel(weight: ir.Value | None) -> bool:
    return weight is not None and weight.is_initializer() and weight.shape is not None and len(weight.shape) > 1


def quantize(quantizer: Quantizer, judge: Judge, track: Track) -> Quantized:
    """Quantise every layer, or all but those that do most damage on their own, as few of them as it takes.

    Raises VerificationError where more than half of the layers would have to stay in fp32.
    """
    everything = quantizer(quantizer.layers)
    if judge(everything, False).passed:
        return Quantized(everything, [])
    damage = {layer: _damage(judge(quantizer([layer]), True)) for layer in track(quantizer.layers, "int8, by layer")}
    worst = sorted(quantizer.layers, key=damage.__getitem__, reverse=True)
    count = _fewest(lambda count: judge(quantizer(worst[count:]), False).passed, int(MOST_EXCLUDED * len(worst)))
    if count is None:
        named = ", ".join(f"{quantizer.name(layer)} ({damage[layer]:.2g})" for layer in worst[:5])
        raise VerificationError(
            f"int8 would leave more than half of {len(worst)} layers in fp32; those that change depth most: {named}"
        )
    excluded = [Exclusion(quantizer.name(layer), _reason(damage[layer])) for layer in worst[:count]]
    return Quantized(quantizer(worst[count:]), excluded)


def _damage(agreement: Agreement) -> float:
    return agreement.mean if agreement.finite else float("inf")


def _reason(damage: float) -> str:
    return f"in int8 it alone changes depth by {damage:.2g} on average"


def _fewest(enough: Callable[[int], bool], most: int) -> int | None:
    """The smallest count up to `most` that is enough, taking it that more never do worse; None where none is."""
    if not enough(most):
        return None
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high
