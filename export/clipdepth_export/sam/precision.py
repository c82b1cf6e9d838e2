"""Segment Anything's graphs in half precision, but for what half precision cannot hold."""

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from clipdepth_export.half import LARGEST, convert
from clipdepth_export.topology import Topology

_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum")
_SUMS = ("LayerNormalization", "Softmax", "ReduceMean", "Pow", "Sqrt")
_SMALLEST_WEIGHT = 1024


def half_sam(model: onnx.ModelProto) -> onnx.ModelProto:
    """Convert a graph, which loses its weights, to one that computes in half but for `sensitive_sam` nodes.

    Inputs and outputs stay as they are. The graph may be of any size.
    """
    weights = _set_aside(model)
    converted = convert(model, sensitive_sam(model))
    _put_back(converted.graph, weights)
    return converted


def sensitive_sam(model: onnx.ModelProto) -> set[str]:
    """The nodes that stay in fp32.

    The picture's normalisation; the points' sines, whose places need more than half precision's 11 bits; norms with
    the sums they are made of; and what is added to attention, the relative positions, up to its softmax.
    """
    graph = Topology(model)
    layers = set(graph.of(*_LAYERS))
    image = graph.before(graph.of("Conv")[:1]) - layers
    places = graph.before(graph.of("Sin", "Cos"))
    attention = graph.before(graph.of("Softmax"), stop=layers)
    return image | places | attention | set(graph.of(*_SUMS)) | _spreads(graph)


def _spreads(graph: Topology) -> set[str]:
    """Of norms made of single operators, the difference from the mean and the division by the deviation."""
    differences = {maker for power in graph.of("Pow") for maker in graph.makers(graph.nodes[power])}
    roots = set(graph.of("Sqrt"))
    divisions = {name for name in graph.of("Div") if roots & set(graph.makers(graph.nodes[name]))}
    return differences | divisions


def _set_aside(model: onnx.ModelProto) -> dict[str, TensorProto]:
    """Make inputs of a graph's large weights: shapes are inferred in a copy, which may not exceed protobuf's 2 GiB."""
    graph = model.graph
    large = {tensor.name: tensor for tensor in graph.initializer if len(tensor.raw_data) > _SMALLEST_WEIGHT}
    small = [tensor for tensor in graph.initializer if tensor.name not in large]
    for name, tensor in large.items():
        graph.input.append(onnx.helper.make_tensor_value_info(name, tensor.data_type, tensor.dims))
    del graph.initializer[:]
    graph.initializer.extend(small)
    return large


def _put_back(graph: onnx.GraphProto, weights: dict[str, TensorProto]) -> None:
    """Make weights of those inputs again, in half where they are cast to it."""
    casts = [node for node in graph.node if node.op_type == "Cast" and node.input[0] in weights]
    for node in casts:
        values = numpy_helper.to_array(weights[node.input[0]]).clip(-LARGEST, LARGEST)
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), node.output[0]))
        graph.node.remove(node)
    used = {tensor for node in graph.node for tensor in node.input}
    graph.initializer.extend(tensor for name, tensor in weights.items() if name in used)
    inputs = [value for value in graph.input if value.name not in weights]
    del graph.input[:]
    graph.input.extend(inputs)
