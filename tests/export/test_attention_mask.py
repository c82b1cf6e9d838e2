"""Masks of attention that hide nothing are dropped, and no others."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from numpy.typing import NDArray
from onnx import helper

from clipdepth_export.attention_mask import drop_masks
from clipdepth_export.calibration import open_session
from small_graphs import HEIGHT, WIDTH, frames, save


def attention(path: Path, seen: NDArray[np.bool_], instead: float = 0.0) -> onnx.ModelProto:
    """Write two softmaxes over the columns of a picture's mean, under one mask and guarded against NaN."""
    nodes = [
        helper.make_node("Cast", ["frame"], ["float"], to=onnx.TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "last"], ["grey"], keepdims=0),
        helper.make_node("Where", ["seen", "nothing", "hidden"], ["mask"]),
    ]
    for scores, depth in (("grey", "first"), ("first", "depth")):
        nodes += [
            helper.make_node("Add", [scores, "mask"], [f"{depth}_masked"]),
            helper.make_node("Softmax", [f"{depth}_masked"], [f"{depth}_shares"], axis=1),
            helper.make_node("IsNaN", [f"{depth}_shares"], [f"{depth}_nan"]),
            helper.make_node("Where", [f"{depth}_nan", "instead", f"{depth}_shares"], [depth]),
        ]
    zeros = {"nothing": np.float32(0), "hidden": np.float32(-np.inf), "instead": np.float32(instead)}
    return onnx.load(save(path / "g.onnx", nodes, {"last": np.array([3]), "seen": seen, **zeros}))


def dropped(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = ir.from_proto(model)
    drop_masks(copy)
    return ir.to_proto(copy)


def test_a_mask_that_hides_nothing_is_dropped(tmp_path: Path) -> None:
    model = attention(tmp_path, np.ones((1, HEIGHT, WIDTH), bool))
    plain = dropped(model)
    onnx.checker.check_model(plain, full_check=True)
    assert [node.op_type for node in plain.graph.node] == ["Cast", "ReduceMean", "Softmax", "Softmax"]
    picture = {"frame": frames(1)}
    np.testing.assert_array_equal(*(open_session(graph).run(None, picture) for graph in (plain, model)))


@pytest.mark.parametrize(("hidden", "instead"), [(1, 0.0), (HEIGHT, 0.0), (0, 3.0)])
def test_another_mask_or_guard_stays(tmp_path: Path, hidden: int, instead: float) -> None:
    seen = np.ones((1, HEIGHT, WIDTH), bool)
    seen[:, :hidden, 0] = False
    model = attention(tmp_path, seen, instead)
    assert [node.op_type for node in dropped(model).graph.node] == [node.op_type for node in model.graph.node]
