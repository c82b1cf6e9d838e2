"""Transposes of int8 tensors instead of restored ones."""

import onnx
import onnx_ir as ir


def transpose_in_int8(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with each transpose of what a DequantizeLinear alone gives it moved before that.

    The numbers are the same, and four times as short: OpenVINO takes 5.5 ms for `edge-nyu` instead of 7.1, whose bins'
    logits are transposed; ONNX Runtime as long as before.
    """
    copy = ir.from_proto(model)
    for node in list(copy.graph):
        restoring = node.inputs[0].producer() if node.op_type == "Transpose" and node.inputs[0] else None
        if restoring and restoring.op_type == "DequantizeLinear" and _is_alone(restoring):
            moved = ir.node("Transpose", restoring.inputs[:1], node.attributes, name=f"{node.name}_in_int8")
            restored = ir.node("DequantizeLinear", [moved.outputs[0], *restoring.inputs[1:]], name=restoring.name)
            restoring.name = f"{restoring.name}_unmoved"
            node.prepend([moved, restored])
            node.outputs[0].replace_all_uses_with(restored.outputs[0])
            copy.graph.remove([node, restoring], safe=True)
    return ir.to_proto(copy)


def _is_alone(restoring: ir.Node) -> bool:
    """Whether a node restores one tensor by one step, for one other that is no output of the graph."""
    (restored,) = restoring.outputs
    step = restoring.inputs[1]
    whole = step is not None and step.const_value is not None and step.const_value.size == 1
    return whole and len(restored.uses()) == 1 and not restored.consumers()[0].outputs[0].is_graph_output()
