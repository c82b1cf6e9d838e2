"""Which nodes ran elsewhere, told by ONNX Runtime's own sessions: Azure's provider takes no node of any graph."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from bundles import OPSET, brightness_graph
from clipdepth.bundle.box import BOX
from clipdepth.bundle.onnx_file import OnnxFile
from clipdepth.engines.assignment import RECORD, AssignedSubgraph, nodes_elsewhere, refuse_elsewhere
from clipdepth.engines.onnxruntime_session import CPU, open_session, session_options
from clipdepth.errors import EngineError

AZURE, CUDA = "AzureExecutionProvider", "CUDAExecutionProvider"
needs_azure = pytest.mark.skipif(AZURE not in onnxruntime.get_available_providers(), reason="a build without Azure")


def subgraphs(graph: Path) -> Sequence[AssignedSubgraph]:
    """What ONNX Runtime tells of a session on the CPU."""
    options = session_options(1)
    options.add_session_config_entry(*RECORD)
    session = onnxruntime.InferenceSession(graph, options, providers=[CPU])
    told: Sequence[AssignedSubgraph] = session.get_provider_graph_assignment_info()
    return told


def assigned(graph: Path) -> Counter[str]:
    """All that a session on the CPU runs."""
    return Counter(node.op_type for subgraph in subgraphs(graph) for node in subgraph.get_nodes())


def elsewhere(graph: Path, wanted: str) -> Counter[str]:
    """What of it would not be on `wanted`."""
    return nodes_elsewhere(subgraphs(graph), OnnxFile(graph).nodes, wanted)


def named(model: onnx.ModelProto, path: Path) -> Path:
    """The model as a file, its nodes with names, as the exporter writes them."""
    for index, node in enumerate(model.graph.node):
        node.name = f"node {index}"
    onnx.save(model, path)
    return path


@needs_azure
def test_a_session_whose_arithmetic_landed_on_the_cpu_is_refused(tmp_path: Path) -> None:
    graph = named(brightness_graph(24, 32), tmp_path / "a.onnx")
    with pytest.raises(
        EngineError, match=r"runs 4 nodes of .*a\.onnx elsewhere than on Azure\S+: 1 Cast, 1 Reduce"
    ) as e:
        open_session(graph, session_options(1), AZURE, [(AZURE, {}), (CPU, {})])
    assert "\n" not in str(e.value)


def test_nodes_where_they_were_asked_for_are_none_elsewhere(tmp_path: Path) -> None:
    graph = named(brightness_graph(24, 32), tmp_path / "a.onnx")
    assert not elsewhere(graph, CPU)
    assert elsewhere(graph, CUDA) == Counter(["Cast", "ReduceMean", "Mul", "Add"])


def test_without_names_arithmetic_is_seen_all_the_same(tmp_path: Path) -> None:
    onnx.save(brightness_graph(24, 32), tmp_path / "a.onnx")
    assert elsewhere(tmp_path / "a.onnx", CUDA) == Counter(["ReduceMean", "Mul", "Add"])


def test_arithmetic_with_shapes_may_be_on_the_cpu(tmp_path: Path) -> None:
    """Depth at half its height, whatever the batch: the height is computed from the frame's."""
    constants = {
        "two": np.array([2], np.int64),
        "first": np.array([0], np.int64),
        "height": np.array([1], np.int64),
        "width": np.array([2], np.int64),
        "last": np.array([3], np.int64),
    }
    nodes = [
        helper.make_node("Shape", ["frame"], ["sizes"]),
        helper.make_node("Gather", ["sizes", "height"], ["rows"]),
        helper.make_node("Div", ["rows", "two"], ["half"]),
        helper.make_node("Gather", ["sizes", "first"], ["count"]),
        helper.make_node("Gather", ["sizes", "width"], ["columns"]),
        helper.make_node("Mul", ["columns", "two"], ["twice"]),
        helper.make_node("Concat", ["count", "half", "twice"], ["wanted"], axis=0),
        helper.make_node("Cast", ["frame"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "last"], ["grey"], keepdims=0),
        helper.make_node("Sqrt", ["grey"], ["root"]),
        helper.make_node("Reshape", ["root", "wanted"], ["depth"]),
    ]
    graph = helper.make_graph(
        nodes,
        "halved",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, ["n", "h", "w", 3])],
        [helper.make_tensor_value_info("depth", TensorProto.FLOAT, ["n", "a", "b"])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opset = helper.make_opsetid("", OPSET)
    path = named(helper.make_model(graph, opset_imports=[opset], ir_version=10), tmp_path / "a.onnx")
    assert elsewhere(path, CUDA) == Counter(["Cast", "ReduceMean", "Sqrt", "Reshape"])


def test_of_the_model_that_ships_only_what_is_made_of_weights_is_let_through() -> None:
    graph = BOX / "edge-nyu" / "depth.int8.cpu.onnx"
    model = onnx.load(graph)
    weights = {tensor.name for tensor in model.graph.initializer}
    of_weights = Counter(node.op_type for node in model.graph.node if {*node.input} <= weights)
    assert of_weights["DequantizeLinear"] > 50
    assert assigned(graph) - elsewhere(graph, CUDA) == of_weights
    assert not elsewhere(graph, CPU)


def test_before_1_24_onnx_runtime_does_not_tell(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"does not tell which nodes CUDAExecutionProvider runs; install 1\.24 or"):
        refuse_elsewhere(SimpleNamespace(), tmp_path / "a.onnx", CUDA)
