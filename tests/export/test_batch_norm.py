from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import torch
from onnx import helper

from clipdepth_export.batch_norm import fold_batch_norms
from clipdepth_export.calibration import open_session
from small_graphs import constants, frames, save


def test_a_batch_norm_without_a_convolution_becomes_a_scale_and_a_shift(tmp_path: Path) -> None:
    torch.manual_seed(0)
    norm = torch.nn.BatchNorm2d(3, eps=1e-3).eval()
    for tensor in (norm.weight, norm.bias, norm.running_mean):
        assert tensor is not None
        torch.nn.init.normal_(tensor)
    assert norm.running_var is not None
    torch.nn.init.uniform_(norm.running_var, 0.1, 2)
    names = ["weight", "bias", "running_mean", "running_var"]
    values = {name: getattr(norm, name).detach().numpy() for name in names}
    nodes = [
        helper.make_node("Cast", ["frame"], ["float"], name="cast", to=onnx.TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["x"], name="transpose", perm=[0, 3, 1, 2]),
        helper.make_node("BatchNormalization", ["x", *names], ["y"], name="norm", epsilon=1e-3),
        helper.make_node("ReduceSum", ["y", "one"], ["depth"], name="sum", keepdims=0),
    ]
    graph = ir.load(save(tmp_path / "g.onnx", nodes, {**values, "one": np.array([1])}))
    fold_batch_norms(graph)
    model = ir.to_proto(graph)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Cast", "Transpose", "Mul", "Add", "ReduceSum"]
    assert not set(names) & set(constants(model))
    picture = frames(1)
    (found,) = open_session(model).run(None, {"frame": picture})
    with torch.no_grad():
        expected = norm(torch.from_numpy(picture).float().permute(0, 3, 1, 2)).sum(1)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-4)
