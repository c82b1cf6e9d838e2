"""Segment Anything's graphs, read back with onnx and run by ONNX Runtime."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto
from segment_anything import SamPredictor
from segment_anything.modeling import Sam

from clipdepth.bundle.sam_folder import SamFolder, open_sam
from clipdepth.engines.sam.graphs import load
from clipdepth.engines.sam.segmenter import load_segmenter
from clipdepth.rooms import Room, default_intrinsics
from clipdepth_export.sam.exporter import export_sam, trace_encoder, write_sam
from clipdepth_export.sam.precision import sensitive_sam
from clipdepth_export.topology import after, before, nodes_of
from tiny_sam import best_overlaps, lively_config, lively_sam, own_masks

FRAMES = [Room(seed).render(0, default_intrinsics(*size)).frame for seed, size in enumerate(((60, 80), (90, 61)))]


@pytest.fixture(scope="module")
def sam() -> Sam:
    return lively_sam()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> SamFolder:
    folder = tmp_path_factory.mktemp("private")
    export_sam(lively_config(folder), folder / "sam", ("fp32", "fp16"), FRAMES)
    return open_sam(folder / "sam")


def signature(value: onnx.ValueInfoProto) -> tuple[str, int, list[int | str]]:
    tensor = value.type.tensor_type
    return value.name, tensor.elem_type, [dim.dim_param or dim.dim_value for dim in tensor.shape.dim]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_contracts(exported: SamFolder, precision: str) -> None:
    graphs = exported.manifest.sam.of(precision)
    encoder, decoder = (onnx.load(exported.path / name) for name in (graphs.encoder, graphs.decoder))
    assert [signature(value) for value in encoder.graph.input] == [
        ("frame", TensorProto.UINT8, [1, 128, 128, 3]),
        ("size", TensorProto.INT64, [2]),
    ]
    assert [signature(value) for value in encoder.graph.output] == [("embedding", TensorProto.FLOAT, [1, 32, 8, 8])]
    assert [signature(value) for value in decoder.graph.input] == [
        ("embedding", TensorProto.FLOAT, [1, 32, 8, 8]),
        ("points", TensorProto.FLOAT, ["points", 2]),
    ]
    assert [signature(value) for value in decoder.graph.output] == [
        ("masks", TensorProto.FLOAT, ["points", 3, 32, 32]),
        ("iou", TensorProto.FLOAT, ["points", 3]),
    ]
    readers = [node.op_type for node in encoder.graph.node if "frame" in node.input]
    assert readers == ["Cast"]


@pytest.mark.parametrize("frame", FRAMES)
def test_the_embedding_is_segment_anythings(exported: SamFolder, sam: Sam, frame: np.ndarray) -> None:
    predictor = SamPredictor(sam)
    predictor.set_image(np.ascontiguousarray(frame[..., ::-1]))
    found = load_segmenter(exported.path, exported.manifest.sam).embed(frame)
    np.testing.assert_allclose(found, predictor.features.numpy(), atol=1e-4)


def test_what_lies_outside_the_picture_does_not_matter(exported: SamFolder) -> None:
    encoder = load(exported.path / exported.manifest.sam.of("fp32").encoder, 1)
    frame = np.random.default_rng(0).integers(0, 256, (1, 128, 128, 3), dtype=np.uint8)
    other = frame.copy()
    other[:, 100:], other[:, :, 77:] = 9, 200
    size = np.array([100, 77])
    whole, cut, also = (
        encoder({"frame": picture, "size": part})["embedding"]
        for picture, part in ((frame, np.array([128, 128])), (frame, size), (other, size))
    )
    assert np.array_equal(cut, also)
    assert not np.allclose(whole, cut, atol=1e-3)


@pytest.mark.parametrize("frame", FRAMES)
def test_masks_are_those_of_segment_anything(exported: SamFolder, sam: Sam, frame: np.ndarray) -> None:
    masks = load_segmenter(exported.path, exported.manifest.sam, threads=1)(frame)
    expected = own_masks(sam, frame, 6, 0.0, 0.0)
    assert len(masks) == len(expected) > 4
    assert best_overlaps(masks, expected).mean() > 0.99
    assert best_overlaps(expected, masks).mean() > 0.99


def test_half_precision_is_in_the_graph(exported: SamFolder) -> None:
    for part in ("encoder", "decoder"):
        half, full = (onnx.load(exported.path / f"sam-{part}.{precision}.onnx") for precision in ("fp16", "fp32"))
        kinds = {tensor.data_type for tensor in half.graph.initializer if np.prod(tensor.dims) > 1000}
        assert kinds == {TensorProto.FLOAT16}
        assert half.ByteSize() < 0.65 * full.ByteSize()
    sizes = exported.manifest.files
    assert sizes["sam-encoder.fp16.onnx"].size < 0.65 * sizes["sam-encoder.fp32.onnx"].size


def test_what_suffers_in_half_precision_stays(exported: SamFolder) -> None:
    for name in ("sam-encoder.fp16.onnx", "sam-decoder.fp16.onnx"):
        model = onnx.shape_inference.infer_shapes(onnx.load(exported.path / name))
        types = {value.name: value.type.tensor_type.elem_type for value in model.graph.value_info}
        for node in model.graph.node:
            if node.op_type in ("LayerNormalization", "Softmax", "Sin", "Cos", "Pow", "Sqrt", "ReduceMean"):
                assert types[node.output[0]] == TensorProto.FLOAT, node.name
            if node.op_type in ("Conv", "Gemm", "ConvTranspose", "Einsum"):
                assert types[node.output[0]] == TensorProto.FLOAT16, node.name


def test_relative_positions_are_added_in_fp32(sam: Sam) -> None:
    graph = trace_encoder(sam).model.graph
    kept = sensitive_sam(graph)
    for softmax in nodes_of(graph, "Softmax"):
        adds = before([softmax], nodes_of(graph, "MatMul", "Einsum")) & set(nodes_of(graph, "Add"))
        assert len(adds) == 2
        assert adds <= kept
    layers = set(nodes_of(graph, "MatMul", "Einsum", "Conv"))
    assert not layers & kept


def test_norms_of_single_operators_are_whole_in_fp32(sam: Sam) -> None:
    graph: ir.Graph = trace_encoder(sam).model.graph
    kept = sensitive_sam(graph)
    roots, squares = nodes_of(graph, "Sqrt"), nodes_of(graph, "Pow")
    divisions = [node for node in nodes_of(graph, "Div") if set(roots) & set(node.predecessors())]
    differences = [node for square in squares for node in square.predecessors()]
    assert len(roots) == len(squares) == len(divisions) == 2  # the neck's
    assert {*roots, *squares, *divisions, *differences} <= kept
    after_layers = after(nodes_of(graph, "Conv"))
    gelu = [node for node in nodes_of(graph, "Div") if node not in divisions and node in after_layers]
    assert gelu
    assert not set(gelu) & kept


def test_no_path_and_no_source_line_is_told(exported: SamFolder) -> None:
    for file in exported.path.iterdir():
        content = file.read_bytes()
        for secret in (str(exported.path.parent), "site-packages", '.py", line', "stack_trace"):
            assert secret.encode() not in content, f"{file.name} has {secret}"


def test_large_weights_lie_beside_their_graph(tmp_path: Path, exported: SamFolder) -> None:
    folder = tmp_path / "sam"
    folder.mkdir()
    record = write_sam(lively_config(tmp_path), folder, ("fp32", "fp16"), FRAMES[:1], largest=10_000)
    beside = {f"sam-{part}.{precision}.onnx.data" for part in ("encoder", "decoder") for precision in ("fp32", "fp16")}
    assert {name for graphs in record.graphs.values() for name in graphs.weights} == beside
    assert {file.name for file in folder.iterdir()} == set(record.files)
    for precision in ("fp32", "fp16"):
        assert (folder / f"sam-encoder.{precision}.onnx.data").stat().st_size > 100_000
        assert len({(folder / name).stat().st_mode for name in record.of(precision).files}) == 1
        small, large = (load_segmenter(path, record, precision) for path in (exported.path, folder))
        assert np.array_equal(small.embed(FRAMES[0]), large.embed(FRAMES[0]))
