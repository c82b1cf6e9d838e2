"""Q/DQ as TensorRT wants it."""

from collections.abc import Iterable

import onnx
import onnx_ir as ir
from onnxruntime.quantization import QuantType
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from clipdepth_export.int8.layers import quantizable
from clipdepth_export.int8.rounding import fit_biases, round_kernels
from clipdepth_export.topology import ARITHMETIC, layer_name


class TensorRtQuantizer:
    """Symmetric int8 for activations and, per channel, for weights; biases stay float.

    Only what goes into a layer is quantised: what comes out reaches the activation and the addition after it in full
    precision, as TensorRT fuses it. It refuses a DequantizeLinear of int32. Kernels keep their sums, see
    `round_kernels`.
    """

    def __init__(self, model: onnx.ModelProto, ranges: TensorsData) -> None:
        self._model = ir.from_proto(model)
        fit_biases(self._model.graph, ranges)
        round_kernels(self._model.graph)
        self._ranges = ranges
        self.layers = quantizable(self._model.graph)

    def __call__(self, layers: Iterable[str]) -> onnx.ModelProto:
        """See `Quantizer`."""
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
        quantizer.model.topological_sort()
        quantized: onnx.ModelProto = quantizer.model.model
        return quantized

    def name(self, layer: str) -> str:
        """See `Quantizer`."""
        return layer_name(self._model.graph.node(layer))
