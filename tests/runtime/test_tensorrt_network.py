"""What TensorRT's real parser says of graphs, and what it makes of them."""

from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from clipdepth.engines.tensorrt.network import check_contract, parse_graph
from clipdepth.errors import EngineError
from tensorrt_cpu.graphs import node, save, write_graph

pytest_plugins = ["tensorrt_cpu.plugin"]
pytestmark = pytest.mark.usefixtures("tensorrt")


def test_the_network_is_strongly_typed(tmp_path: Path, tensorrt: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT 11 knows nothing else; 10, without the flag, builds FP32 from half tensors."""
    asked: list[int] = []

    real = tensorrt.Builder

    def watched(log: object) -> SimpleNamespace:
        builder = real(log)

        def create_network(flags: int = 0) -> object:
            asked.append(flags)
            return builder.create_network(flags)

        return SimpleNamespace(create_network=create_network)

    monkeypatch.setattr(tensorrt, "Builder", watched)
    parse_graph(write_graph(tmp_path / "a.onnx"))
    assert asked == [1 << int(tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)]


def test_inputs_have_the_graphs_names_and_shapes(tmp_path: Path) -> None:
    assert parse_graph(write_graph(tmp_path / "a.onnx")).inputs() == {"frame": (1, 8, 8, 3)}
    assert parse_graph(write_graph(tmp_path / "b.onnx", batch="batch")).inputs() == {"frame": (-1, 8, 8, 3)}


def test_weights_beside_the_graph_are_read(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "a.onnx")
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="a.onnx.data", size_threshold=0)
    assert (tmp_path / "a.onnx.data").is_file()
    assert parse_graph(path).network.num_layers > 3
    (tmp_path / "a.onnx.data").unlink()
    with pytest.raises(EngineError, match=r"a\.onnx"):
        parse_graph(path)


def test_a_uint8_frame_that_is_transposed_first_is_refused(tmp_path: Path) -> None:
    nodes = [
        node("Transpose", ["frame"], "turned", perm=[0, 3, 1, 2]),
        node("Cast", ["turned"], "picture", to=TensorProto.FLOAT),
        node("ReduceMean", ["picture", "axis"], "depth", keepdims=0),
    ]
    path = save(tmp_path / "u8.onnx", nodes, {"axis": np.array([1], np.int64)})
    with pytest.raises(EngineError, match=r"^TensorRT [\d.]+ cannot take .*u8\.onnx: .*\(Transpose\): .*UInt8"):
        parse_graph(path)


def test_every_complaint_of_the_parser_is_told_in_a_line(tmp_path: Path) -> None:
    nodes = [
        node("Cast", ["frame"], "float", to=TensorProto.FLOAT),
        helper.make_node("Warp", ["float"], ["warped"], "first", domain="far.away"),
        helper.make_node("Weft", ["warped"], ["depth"], "second", domain="far.away"),
    ]
    path = save(tmp_path / "odd.onnx", nodes, {})
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid("far.away", 1))
    onnx.save(model, path)
    with pytest.raises(EngineError) as error:
        parse_graph(path)
    message = str(error.value)
    assert "node 1 'first' (Warp): " in message
    assert "; node 2 'second' (Weft): " in message
    assert "\n" not in message


@pytest.mark.parametrize("content", [None, b"", b"no graph"])
def test_what_is_no_graph_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "depth.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EngineError, match=r"cannot take .*depth\.onnx: .+"):
        parse_graph(path)


def test_only_the_batch_may_be_dynamic(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "a.onnx")
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "height"
    onnx.save(model, path)
    with pytest.raises(
        EngineError, match=r"input frame of .* has shape \(1, -1, 8, 3\): only the batch may be dynamic"
    ):
        parse_graph(path)


def test_the_frame_contract_is_checked(tmp_path: Path) -> None:
    sound = write_graph(tmp_path / "a.onnx")
    check_contract(parse_graph(sound))
    model = onnx.load(sound)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    onnx.save(model, tmp_path / "float.onnx")
    model = onnx.load(sound)
    model.graph.node[-1].output[0] = model.graph.output[0].name = "distance"
    onnx.save(model, tmp_path / "distance.onnx")
    for name in ("float", "distance"):
        with pytest.raises(EngineError, match="does not turn a uint8 'frame' into a float32 'depth'"):
            check_contract(parse_graph(tmp_path / f"{name}.onnx"))
