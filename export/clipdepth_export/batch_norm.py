"""Batch norms that no convolution could take in, as one multiplication and one addition."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from clipdepth_export.topology import replace_nodes


def fold_batch_norms(model: onnx.ModelProto) -> None:
    """Replace what is left of BatchNormalization, y = γ (x - μ) / √(σ² + ε) + β, by y = a x + b, in place."""
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in model.graph.value_info}
    nodes = []
    for node in model.graph.node:
        if node.op_type != "BatchNormalization":
            nodes.append(node)
            continue
        gamma, beta, mean, variance = (weights[name].astype(np.float64) for name in node.input[1:])
        epsilon = next((attribute.f for attribute in node.attribute if attribute.name == "epsilon"), 1e-5)
        scale = gamma / np.sqrt(variance + epsilon)
        shape = (-1,) + (1,) * (ranks[node.output[0]] - 2)
        for suffix, values in {"scale": scale, "shift": beta - mean * scale}.items():
            tensor = numpy_helper.from_array(values.astype(np.float32).reshape(shape), f"{node.name}_{suffix}")
            model.graph.initializer.append(tensor)
        scaled = f"{node.output[0]}_scaled"
        nodes += [
            helper.make_node("Mul", [node.input[0], f"{node.name}_scale"], [scaled], name=f"{node.name}_mul"),
            helper.make_node("Add", [scaled, f"{node.name}_shift"], [node.output[0]], name=f"{node.name}_add"),
        ]
    replace_nodes(model.graph, nodes)
