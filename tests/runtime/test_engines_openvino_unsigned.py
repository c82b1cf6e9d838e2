"""Unsigned rounding of what ReLUs give: finer over the same range, and nothing else is touched."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

openvino = pytest.importorskip("openvino")

from clipdepth.engines.openvino_unsigned import use_unsigned  # noqa: E402

SCALE = 0.03
"""Of the signed graph: its rounded values end at 127 · SCALE."""


def quantized(path: Path, operator: str, consumers: int = 1) -> Path:
    """x (1, 4) through `operator`, rounded to signed int8, to the sum of `consumers` products with itself."""
    nodes = [
        helper.make_node(operator, ["x"], ["active"]),
        helper.make_node("QuantizeLinear", ["active", "scale", "zero"], ["rounded"]),
        helper.make_node("DequantizeLinear", ["rounded", "scale", "zero"], ["back"]),
        *(helper.make_node("Mul", ["back", f"w{i}"], [f"y{i}"]) for i in range(consumers)),
        helper.make_node("Sum", [f"y{i}" for i in range(consumers)], ["y"]),
    ]
    constants = {"scale": np.float32(SCALE), "zero": np.int8(0)}
    constants |= {f"w{i}": np.float32(i + 1) for i in range(consumers)}  # type: ignore[dict-item]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1000])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1000])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def run(model: "openvino.Model", x: NDArray[np.float32]) -> NDArray[np.float32]:
    compiled = openvino.Core().compile_model(model, "CPU", {"EXECUTION_MODE_HINT": "ACCURACY"})
    result: NDArray[np.float32] = compiled({"x": x})[0]
    return result


@pytest.fixture
def x() -> NDArray[np.float32]:
    """From -6 to 6, beyond what is represented (3.81)."""
    return np.linspace(-6, 6, 1000, dtype=np.float32)[None]


@pytest.mark.parametrize("consumers", [1, 3])
def test_a_relus_output_is_rounded_to_255_steps_over_the_same_range(
    tmp_path: Path, x: NDArray[np.float32], consumers: int
) -> None:
    model = openvino.Core().read_model(quantized(tmp_path / "g.onnx", "Relu", consumers))
    factor = consumers * (consumers + 1) / 2
    signed = run(model, x)
    assert use_unsigned(model) == 1
    unsigned = run(model, x)
    step = 127 * SCALE / 255
    np.testing.assert_allclose(unsigned, factor * step * np.clip(np.rint(x / step), 0, 255), atol=factor * step * 1.01)
    true = factor * np.clip(x, 0, 127 * SCALE)
    assert np.abs(unsigned - true).max() <= factor * step * 0.501
    assert np.abs(signed - true).max() > factor * step * 0.9, "the signed graph is not as fine"


@pytest.mark.parametrize("operator", ["Sigmoid", "Tanh", "Identity"])
def test_what_is_not_a_relus_output_stays_as_it_is(tmp_path: Path, x: NDArray[np.float32], operator: str) -> None:
    model = openvino.Core().read_model(quantized(tmp_path / "g.onnx", operator))
    before = run(model, x)
    assert use_unsigned(model) == 0
    np.testing.assert_array_equal(run(model, x), before)


def test_the_changed_graph_computes_with_unsigned_numbers(tmp_path: Path) -> None:
    model = openvino.Core().read_model(quantized(tmp_path / "g.onnx", "Relu"))
    use_unsigned(model)
    stored = {str(node.get_element_type()) for node in model.get_ops() if node.get_type_name() == "Convert"}
    # What was signed is reachable no more.
    assert stored == {"<Type: 'uint8_t'>", "<Type: 'float32'>"}
