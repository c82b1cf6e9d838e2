"""Q/DQ as ONNX Runtime and OpenVINO want it on processors.

ONNX Runtime runs a convolution in int8 only if input, weight, bias and output are all quantised: without the output's
pair it restores everything and convolves in fp32, slower than without Q/DQ.
"""

from collections.abc import Iterable

import onnx
import onnx_ir as ir
from onnxruntime.quantization import QuantType
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from clipdepth_export.calibration import Statistics
from clipdepth_export.int8.biases import round_linear_biases
from clipdepth_export.int8.frame import take_bytes, use_bytes
from clipdepth_export.int8.layers import quantizable
from clipdepth_export.int8.layout import transpose_in_int8
from clipdepth_export.int8.rounding import prepared
from clipdepth_export.topology import ARITHMETIC, GLUE, layer_name, sensitive

_FIRST_ONLY = ("Clip", "Resize")
"""Of these the other inputs are limits and sizes."""
_PRODUCTS = ("Gemm", "MatMul")
"""Layers of transformers; their kernels take int8 and give fp32, which the norms and sums after them need."""


class CpuQuantizer:
    """Activations in uint8 with a zero point, weights in int8 for each channel, biases in int32.

    x86 multiplies unsigned by signed numbers, and what comes out of a ReLU has all 256 levels. Kernels keep their sums,
    see `round_kernels`; a frame goes in as the bytes that it is, see `take_bytes`. ONNX Runtime has no transposed
    convolution in int8, so these stay in fp32.
    """

    def __init__(self, model: onnx.ModelProto, statistics: Statistics) -> None:
        self._model = prepared(model, statistics.ranges)
        self._ranges = take_bytes(self._model.graph, statistics.ranges)
        self.layers = quantizable(self._model.graph, ("Conv", *_PRODUCTS))

    def __call__(self, layers: Iterable[str]) -> onnx.ModelProto:
        """See `Quantizer`."""
        chosen = list(layers)
        quantizer = QDQQuantizer(
            ir.to_proto(self._model),
            per_channel=True,
            reduce_range=False,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=self._ranges,
            nodes_to_quantize=chosen + joining(self._model.graph, chosen),
            nodes_to_exclude=[],
            op_types_to_quantize=[*ARITHMETIC, *GLUE],
            extra_options={
                "ActivationSymmetric": False,
                "WeightSymmetric": True,
                "OpTypesToExcludeOutputQuantization": list(_PRODUCTS),
            },
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
        return transpose_in_int8(use_bytes(round_linear_biases(quantizer.model.model)))

    def as_run(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """See `Quantizer`: what processors run is what is here."""
        return model

    def name(self, layer: str) -> str:
        """See `Quantizer`."""
        return layer_name(self._model.graph.node(layer))


def joining(graph: ir.Graph, layers: Iterable[str]) -> list[str]:
    """The nodes of `GLUE` between those layers: all that they take comes from int8 layers, or from other such nodes."""
    keep = sensitive(graph)
    int8 = {graph.node(layer) for layer in layers}
    int8 = {node for node in int8 if node.op_type not in _PRODUCTS}
    found = []
    for node in graph:
        if node.op_type not in GLUE or node in keep:
            continue
        taken = node.inputs[:1] if node.op_type in _FIRST_ONLY else node.inputs
        if all(value is not None and value.producer() in int8 for value in taken):
            int8.add(node)
            found.append(node.name or "")
    return found
