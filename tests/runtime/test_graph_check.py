"""Graphs from strangers: whatever the exporter does not write is refused in a line when the bundle is opened."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bundles import OPSET, brightness_graph, write_bundle, write_manifest
from clipdepth.bundle.box import BOX
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.onnx_file import OnnxFile, OnnxFileError
from clipdepth.bundle.stored_file import stored_file
from clipdepth.engines import load_engine, verify_engine
from clipdepth.errors import BundleError

GRAPH = "depth.fp32.onnx"
Change = Callable[[onnx.ModelProto], object]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "b", 24, 32)


def refused(path: Path) -> str:
    """What is said of a bundle, whose hashes are right: an attacker makes them so."""
    with pytest.raises(BundleError) as error:
        open_bundle(path)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{path / GRAPH}: ")
    assert str(error.value).endswith("; export the bundle again")
    return str(error.value).removeprefix(f"{path / GRAPH}: ").removesuffix("; export the bundle again")


def replace(path: Path, content: bytes) -> None:
    (path / GRAPH).write_bytes(content)
    write_manifest(path, 24, 32)


def add_node(model: onnx.ModelProto, operator: str, domain: str = "", **attributes: object) -> None:
    node = helper.make_node(operator, ["depth"], ["more"], domain=domain)
    node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
    model.graph.node.append(node)


def engine_context(model: onnx.ModelProto) -> None:
    add_node(model, "EPContext", "com.microsoft", ep_cache_context=b"native code", embed_mode=1)


def local_function(model: onnx.ModelProto) -> None:
    identity = helper.make_node("Relu", ["x"], ["y"])
    model.functions.append(helper.make_function("", "Relu", ["x"], ["y"], [identity], [helper.make_opsetid("", OPSET)]))


def branch(model: onnx.ModelProto) -> None:
    inner = helper.make_graph([helper.make_node("EPContext", [], ["x"], domain="com.microsoft")], "inner", [], [])
    add_node(model, "Relu", then_branch=inner)


def sparse(model: onnx.ModelProto) -> None:
    values = helper.make_tensor("s", TensorProto.FLOAT, [1], [1.0])
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [2]))


def weight_in_an_attribute(model: onnx.ModelProto) -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    add_node(model, "Relu", value=tensor)


def two_places(model: onnx.ModelProto) -> None:
    outside(model, "golden.npz")
    model.graph.initializer[0].external_data.add(key="location", value="/etc/passwd")


HOSTILE: dict[str, tuple[Change, str]] = {
    "an engine in a node": (engine_context, "it has operators of 'com.microsoft', clipdepth's are all ONNX's own"),
    "a library's operators": (lambda model: add_node(model, "Relu", "evil"), "it has operators of 'evil'"),
    "a library's operator set": (
        lambda model: model.opset_import.append(helper.make_opsetid("evil\x1b[2J", 1)),
        r"it has operators of 'evil\x1b[2J'",
    ),
    "an engine without its domain": (lambda model: add_node(model, "EPContext"), "it has the operator 'EPContext'"),
    "an operator of ONNX that no export has": (lambda model: add_node(model, "Loop"), "it has the operator 'Loop'"),
    "a local function": (local_function, "it has local functions"),
    "a subgraph": (branch, "it has subgraphs"),
    "an overload": (lambda model: setattr(model.graph.node[0], "overload", "x"), "it has overloads"),
    "training": (lambda model: model.training_info.add(), "it has training"),
    "sparse weights": (sparse, "it has sparse weights"),
    "a node without an operator": (lambda model: model.graph.node.add(), "a node has 0 operators"),
    "no graph": (lambda model: model.ClearField("graph"), "it is no ONNX file"),
    "a weight in an attribute": (weight_in_an_attribute, "it has weights in '/etc/passwd', which is not among"),
    "weights in two places": (two_places, "a weight states 2 files it lies in"),
    "weights nowhere": (
        lambda model: setattr(model.graph.initializer[0], "data_location", TensorProto.EXTERNAL),
        "a weight states 0 files it lies in",
    ),
}


@pytest.mark.parametrize(("change", "told"), HOSTILE.values(), ids=HOSTILE)
def test_what_no_export_has_is_refused(path: Path, change: Change, told: str) -> None:
    model = brightness_graph(24, 32)
    change(model)
    replace(path, model.SerializeToString())
    assert refused(path).startswith(told)


SOUND = brightness_graph(24, 32).SerializeToString()
FILES = {
    "ONNX Runtime's own format": b"\x1c\x00\x00\x00ORTM" + bytes(64),
    "OpenVINO's IR": b'<?xml version="1.0"?><net name="evil" version="11"><layers/></net>',
    "nothing": b"\0",
    "cut short": SOUND[:-1],
    "two graphs": SOUND + SOUND,
    "a number without an end": b"\xff" * 40,
    "a group": b"\x3b\x3c",
    "a length beyond the end": b"\x3a\xff\xff\xff\xff\x7f",
    "a graph that is a number": b"\x38\x01",
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_what_is_no_onnx_file_is_refused(path: Path, content: bytes) -> None:
    replace(path, content)
    assert refused(path).startswith("it is no ONNX file")


def test_endless_nodes_take_no_time(path: Path) -> None:
    nodes = b"\x0a\x00" * 3_000_000
    replace(path, b"\x3a\x80\x9b\xee\x02" + nodes)
    assert refused(path) == "a node has 0 operators"
    names = b"\x12\x00" * 3_000_000
    replace(path, b"\x3a\x80\x9b\xee\x02" + names)
    assert refused(path) == "it has more than 1,000,000 fields"


@pytest.mark.parametrize("name", ["depth.ort", "depth.xml", "depth.engine", "depth"])
def test_files_of_other_kinds_are_refused_by_their_names(path: Path, name: str) -> None:
    (path / GRAPH).rename(path / name)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["graphs"][0]["file"] = name
    manifest["files"][name] = manifest["files"].pop(GRAPH)
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=f"/{name}: it is no .onnx file; export the bundle again"):
        open_bundle(path)


def outside(model: onnx.ModelProto, place: str) -> None:
    """Put the weight 'nearest' into the file `place`."""
    (weight,) = [tensor for tensor in model.graph.initializer if tensor.name == "nearest"]
    model.graph.initializer.remove(weight)
    moved = TensorProto(name="nearest", data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": place, "offset": "0", "length": "4"}.items():
        moved.external_data.add(key=key, value=value)
    model.graph.initializer.insert(0, moved)


def with_weights(path: Path, place: str) -> None:
    """Give the bundle a graph whose weight lies in `place`; all files that are there are stated with their hashes."""
    model = brightness_graph(24, 32)
    outside(model, place)
    (path / GRAPH).write_bytes(model.SerializeToString())
    manifest = json.loads((path / "manifest.json").read_text())
    stored = {file.name: stored_file(file) for file in path.iterdir() if file.name != "manifest.json"}
    manifest["files"] = {name: {"sha256": file.sha256, "size": file.size} for name, file in stored.items()}
    (path / "manifest.json").write_text(json.dumps(manifest))


def test_weights_beside_the_graph_are_taken_where_the_manifest_states_them(path: Path) -> None:
    (path / "depth.data").write_bytes(np.float32(0.5).tobytes())
    with_weights(path, "depth.data")
    bundle = open_bundle(path)
    assert verify_engine(load_engine(bundle, threads=1), bundle, "fp32").passed


@pytest.mark.parametrize("place", ["/etc/passwd", "../secret", "./depth.data", "manifest.json", "", "a/../golden.npz"])
def test_weights_that_are_not_among_the_files_are_refused(path: Path, place: str) -> None:
    (path / "depth.data").write_bytes(np.float32(0.5).tobytes())
    (path.parent / "secret").write_bytes(np.float32(0.5).tobytes())
    with_weights(path, place)
    assert refused(path) == f"it has weights in {place!r}, which is not among the bundle's files"


def test_weights_in_a_file_that_is_not_hashed_are_refused(path: Path) -> None:
    """What a further training begins with is not read at a start."""
    (path / "weights.safetensors").write_bytes(np.float32(0.5).tobytes())
    with_weights(path, "weights.safetensors")
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "weights": "weights.safetensors"}))
    assert "which is not among the bundle's files" in refused(path)


def test_weights_behind_a_hard_link_are_refused(path: Path) -> None:
    secret = path.parent / "secret"
    secret.write_bytes(np.float32(0.5).tobytes())
    os.link(secret, path / "depth.data")
    with_weights(path, "depth.data")
    assert refused(path) == "it has weights in depth.data, which is a link; copy the file itself"


def test_a_model_in_the_box_may_be_linked_as_uv_installs_it(path: Path) -> None:
    cached = path.parent / "cached"
    cached.write_bytes(np.float32(0.5).tobytes())
    os.link(cached, path / "depth.data")
    with_weights(path, "depth.data")
    bundle = open_bundle(path.name, box=path.parent)
    assert verify_engine(load_engine(bundle, "onnxruntime", "fp32"), bundle, "fp32").passed
    cached.write_bytes(np.float32(0.6).tobytes())
    with pytest.raises(BundleError, match=r"depth\.data is not the file its manifest states"):
        open_bundle(path.name, box=path.parent)


def test_weights_behind_a_symbolic_link_are_refused(path: Path) -> None:
    secret = path.parent / "secret"
    secret.write_bytes(np.float32(0.5).tobytes())
    (path / "depth.data").symlink_to(secret)
    with_weights(path, "depth.data")
    with pytest.raises(BundleError, match=r"depth\.data is missing"):
        open_bundle(path)


def asked(model: onnx.ModelProto) -> tuple[set[str], set[str], set[str]]:
    """The operators, domains and files of weights, as onnx reads them."""
    external = [each for tensor in model.graph.initializer for each in tensor.external_data]
    domains = {node.domain for node in model.graph.node} | {opset.domain for opset in model.opset_import}
    return (
        {node.op_type for node in model.graph.node},
        domains | {""},
        {each.value for each in external if each.key == "location"},
    )


@pytest.mark.parametrize("file", sorted(BOX.glob("*/*.onnx")), ids=lambda file: f"{file.parent.name}-{file.name}")
def test_it_reads_what_onnx_reads(file: Path) -> None:
    found = OnnxFile(file)
    model = onnx.load(file, load_external_data=False)
    assert (found.operators, found.domains | {""}, found.files) == asked(model)
    nodes = [(node.name, node.op_type, [*node.input], [*node.output]) for node in model.graph.node]
    assert [(node.name, node.operator, [*node.inputs], [*node.outputs]) for node in found.nodes] == nodes


def test_of_a_spoiled_file_nothing_is_read_that_onnx_reads_otherwise(tmp_path: Path) -> None:
    """A differential fuzz: bytes changed, dropped and repeated."""
    model = brightness_graph(24, 32)
    outside(model, "depth.data")
    sound = np.frombuffer(model.SerializeToString(), np.uint8)
    random = np.random.default_rng(0)
    read = 0
    for _ in range(3000):
        spoiled = sound.copy()
        place = random.integers(len(sound))
        match random.integers(3):
            case 0:
                spoiled[place] = random.integers(256)
            case 1:
                spoiled = np.delete(spoiled, place)
            case 2:
                spoiled = np.insert(spoiled, place, spoiled[place : place + random.integers(1, 9)])
        (tmp_path / "a.onnx").write_bytes(spoiled.tobytes())
        try:
            found = OnnxFile(tmp_path / "a.onnx")
        except OnnxFileError:
            continue
        try:
            expected = asked(onnx.load_from_string(spoiled.tobytes()))
        except Exception:  # of which there are many; an engine does not read it either
            continue
        read += 1
        assert (found.operators, found.domains | {""}, found.files) == expected
    assert read > 300
