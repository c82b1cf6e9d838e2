"""Fuzzed bundles: manifests, golden frames and graphs are taken, or refused in a line."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import onnx
import pytest
from hypothesis import given

from bundles import WEIGHTS, brightness_graph, write_bundle
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.golden import Golden, load_golden
from clipdepth.bundle.graph_check import OPERATORS, OTHER_TRUNKS, graph_problem
from clipdepth.bundle.manifest import decode_manifest
from clipdepth.errors import BundleError
from fuzzing import bounded, little_memory, spoiled, spoiled_json, taken_or_refused

HEIGHT, WIDTH = 4, 6
FILES = ("frames", "depth", "truth_mm", "segmentation")


@pytest.fixture(autouse=True, scope="module")
def memory() -> Iterator[None]:
    """For all examples of this file together."""
    with little_memory(300):
        yield


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("fuzz") / "b", 24, 32, precisions=("fp32", "int8"), weights=b"weights")


@given(data=st.data())
@bounded(400)
def test_manifests(path: Path, data: st.DataObject) -> None:
    sound = (path / "manifest.json").read_bytes()
    with taken_or_refused(BundleError):
        decode_manifest(data.draw(spoiled_json(sound) | st.binary(max_size=200)), "b/manifest.json")


@given(data=st.data())
@bounded(200)
def test_bundles_with_spoiled_manifests(path: Path, data: st.DataObject) -> None:
    """What opens has golden frames, and graphs for what it says it has."""
    manifest = path / "manifest.json"
    sound = manifest.read_bytes()
    try:
        manifest.write_bytes(data.draw(spoiled_json(sound)))
        with taken_or_refused(BundleError):
            bundle = open_bundle(path)
            assert len(bundle.golden().frames) == 2
            assert all(bundle.graph(name).parent == path for name in bundle.manifest.precisions)
            assert bundle.weights().name == WEIGHTS
    finally:
        manifest.write_bytes(sound)


def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "frames": random.integers(0, 256, (2, HEIGHT, WIDTH, 3), dtype=np.uint8),
        "depth": random.uniform(0.5, 9, (2, HEIGHT, WIDTH)).astype(np.float32),
        "truth_mm": random.integers(0, 9000, (2, HEIGHT, WIDTH)).astype(np.uint16),
        "segmentation": random.integers(0, 256, (2, HEIGHT, WIDTH, 3), dtype=np.uint8),
    }


def sound_golden() -> bytes:
    found = arrays()
    file = io.BytesIO()
    Golden(found["frames"], found["depth"], found["depth"], found["segmentation"]).save(file)
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@st.composite
def zipped(draw: st.DrawFn) -> bytes:
    """A sound archive of a spoiled array among sound ones."""
    members = {name: npy(array) for name, array in arrays().items()}
    name = draw(st.sampled_from(FILES))
    header = members[name].partition(b"\n")[0] + b"\n"
    members[name] = draw(
        spoiled(header).map(lambda start: start + members[name][len(header) :]) | spoiled(members[name]) | headers()
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))) as archive:
        for member, content in members.items():
            archive.writestr(f"{member}.npy", content)
    return file.getvalue()


def headers() -> st.SearchStrategy[bytes]:
    """Arrays of strange types and of shapes that no memory holds, with a few bytes of content."""
    types = st.sampled_from(["|u1", "<f4", "<u2", "|O", "|V0", "|S0", "<m8[D]", "|V99999999", "no type"])
    sizes = st.sampled_from([0, 1, 2, HEIGHT, WIDTH, 3, 2**31, 2**40, 2**63, -1, 10**30])
    fields = st.tuples(types, st.lists(sizes, max_size=5).map(tuple), st.booleans())
    return fields.map(lambda found: _headed(dict(zip(("descr", "shape", "fortran_order"), found, strict=True))))


def _headed(header: dict[str, Any]) -> bytes:
    text = repr(header).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(100)


@given(content=spoiled(sound_golden()) | zipped() | st.binary(max_size=200))
@bounded(400)
def test_golden_frames(path: Path, content: bytes) -> None:
    """What is taken is of the right shapes and types, whatever the file."""
    file = path.with_name("golden.npz")
    file.write_bytes(content)
    with taken_or_refused(BundleError):
        golden = load_golden(file, HEIGHT, WIDTH)
        assert golden.frames.shape == (*golden.depth.shape, 3) == (len(golden.frames), HEIGHT, WIDTH, 3)
        assert (golden.frames.dtype, golden.depth.dtype) == (np.uint8, np.float32)
        assert np.isfinite(golden.depth).all()


def encoded(message: list[tuple[int, Any]]) -> bytes:
    """Protocol buffers of fields, each a number and a whole number, bytes or fields."""
    parts = []
    for number, value in message:
        content = encoded(value) if isinstance(value, list) else value
        if isinstance(content, int):
            parts += [varint(number << 3), varint(content)]
        else:
            parts += [varint(number << 3 | 2), varint(len(content)), content]
    return b"".join(parts)


def varint(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def messages() -> st.SearchStrategy[bytes]:
    """A graph of random fields, as deep as ONNX nests."""
    values = st.integers(0, 2**64 - 1) | st.sampled_from(
        [b"", b"Relu", b"EPContext", b"location", b"/etc/passwd", b"\xff"]
    )
    fields = st.recursive(
        values, lambda inner: st.lists(st.tuples(st.integers(1, 25), inner), max_size=4), max_leaves=20
    )
    nodes = st.tuples(st.sampled_from([1, 1, 1, 5]), st.lists(st.tuples(st.integers(1, 9), fields), max_size=4))
    named = nodes.map(lambda node: (node[0], [(4, b"Relu"), *node[1]] if node[0] == 1 else node[1]))
    graph = st.lists(named | st.tuples(st.integers(1, 16), fields), max_size=5)
    return graph.map(lambda found: encoded([(1, 10), (7, found), (8, [(2, 18)])]))


@given(content=spoiled(brightness_graph(HEIGHT, WIDTH).SerializeToString()) | messages() | st.binary(max_size=200))
@bounded(400)
def test_graphs(path: Path, content: bytes) -> None:
    """What is taken has, as onnx reads it, none but the exporter's operators, and nothing outside of it."""
    file = path.with_name("depth.onnx")
    file.write_bytes(content)
    problem = graph_problem(file, ())
    if problem is not None:
        assert problem.isprintable(), repr(problem)
        return
    try:
        model = onnx.load_from_string(content)
    except Exception:  # of which there are many; an engine does not read it either
        return
    assert {node.op_type for node in model.graph.node} <= OPERATORS | OTHER_TRUNKS
    assert {node.domain for node in model.graph.node} <= {""}
    assert not model.functions
    assert b"/etc/passwd" not in content or not [each for each in model.graph.initializer if each.external_data]
