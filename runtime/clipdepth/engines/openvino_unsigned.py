"""Unsigned int8 for what is never negative, which CPUs multiply faster, and with one bit more."""

from collections.abc import Iterator

import numpy as np
import openvino
from openvino import Node, Output
from openvino import opset8 as ops

_UINT8 = 255


def use_unsigned(model: openvino.Model) -> int:
    """Round the outputs of ReLUs to 0 … 255 instead of 0 … 127, over the same range, in place; how many there were.

    A bundle's int8 graph is signed throughout, as TensorRT wants it. x86's dot product (VPDPBUSD) takes unsigned by
    signed numbers, so that signed activations cost a correction in every convolution.
    """
    # The node before stays alive in the list: OpenVINO numbers operations as they are walked.
    found = [(node, chain) for node in model.get_ops() if (chain := list(_dequantized(node)))]
    for rounding, dequantized in found:
        largest = float(rounding.input_value(2).get_node().data.flat[0])
        for old in dequantized:
            new = _unsigned(rounding.input_value(0), largest)
            for user in list(old.get_target_inputs()):
                user.replace_source_output(new)
    model.validate_nodes_and_infer_types()
    return len(found)


def _unsigned(values: Output, largest: float) -> Output:
    zero, top, scale = (ops.constant(np.float32(value)) for value in (0, largest, largest / _UINT8))
    rounded = ops.fake_quantize(values, zero, top, zero, ops.constant(np.float32(_UINT8)), 256)
    stored = ops.convert(ops.convert(rounded, "u8"), "f32")
    output: Output = ops.multiply(stored, scale).output(0)
    return output


def _dequantized(node: Node) -> Iterator[Output]:
    """Where what a node rounds to int8 is float again, if it is a ReLU's output that it rounds.

    ONNX's QuantizeLinear and DequantizeLinear are FakeQuantize, Convert, Convert, perhaps Subtract, Multiply here.
    """
    if node.get_type_name() != "FakeQuantize" or node.input_value(0).get_node().get_type_name() != "Relu":
        return
    for narrow in _users(node):
        if narrow.get_type_name() == "Convert" and narrow.get_element_type() == openvino.Type.i8:
            for wide in _users(narrow):
                yield from (last.output(0) for last in _scaled(wide))


def _scaled(node: Node) -> Iterator[Node]:
    for user in _users(node):
        if user.get_type_name() == "Multiply":
            yield user
        elif user.get_type_name() == "Subtract":
            yield from _scaled(user)


def _users(node: Node) -> list[Node]:
    return [user.get_node() for user in node.output(0).get_target_inputs()]
