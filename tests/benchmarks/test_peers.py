"""Peers: the right architectures, exported as they compute, and rows that say what is missing."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.tiny_network import MULTIPLY_ADDS, SIZE, tiny
from bundles import write_bundle
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.manifest import InputSize
from clipdepth.engines import load_engine
from clipdepth.engines.onnxruntime_cpu import load_graph
from clipdepth_bench.contender import Setup, load_all
from clipdepth_bench.families.peers import depth_anything, entries, list_peers, msa, yolo, zipdepth
from clipdepth_bench.families.peers.forms import load_best, load_eager
from clipdepth_bench.families.peers.material import Material
from clipdepth_bench.families.peers.peer import Peer, nearest
from clipdepth_bench.families.peers.random_bundle import write_random_bundle
from clipdepth_train.imported.framed import Framed

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """That of a small bundle."""
    return Setup(open_bundle(write_bundle(tmp_path / "small.bundle", frames=3)), None, 1, False)


TINY = Peer("tiny", SIZE, tiny, (), "MIT")


def frames_of(size: InputSize, count: int = 1) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(5).integers(0, 256, (count, size.height, size.width, 3), dtype=np.uint8)


def peer_bundle(peer: Peer) -> Bundle:
    return Material(peer, frames_of(peer.size)).bundle(("fp32",))


def require_exported(peer: Peer) -> None:
    """As `require_same`, of the graph that ONNX Runtime's forms are made from."""
    material = Material(peer, frames_of(peer.size))
    found = load_graph(material.graph(), 1).infer(material.frames).depth
    assert found.shape == material.reference.shape
    assert np.abs(found - material.reference).max() < 0.05 * material.reference.std()


def require_same(bundle: Bundle, module: nn.Module, precision: str, tolerance: float, count: int = 1) -> None:
    """The graph's depth is the module's, measured against how far that varies: a constant would not do."""
    frames = frames_of(bundle.manifest.input, count)
    expected = module(torch.from_numpy(frames)).numpy()
    found = load_engine(bundle, "onnxruntime", precision, 1).infer(frames).depth
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < tolerance * expected.std()


def test_frames_are_bgr_and_normalised() -> None:
    module = Framed(nn.Identity(), lambda image: image[:, 0], (0.5, 0, 0), (0.25, 1, 1))
    frame = torch.tensor([[[[10, 20, 255]]]], dtype=torch.uint8)
    assert module(frame).item() == pytest.approx((1 - 0.5) / 0.25)


def test_sizes_are_the_nearest_multiples() -> None:
    assert nearest(InputSize(240, 320), 14) == InputSize(238, 322)
    assert nearest(InputSize(3, 33), 32) == InputSize(32, 32)


def test_peers_at_their_own_and_at_the_bundles_size() -> None:
    names = [peer.name for peer in list_peers(InputSize(240, 320))]
    assert names == [
        "MSA (RN50) 416×544",
        "Depth Anything V2 S 518×518",
        "Depth Anything V2 S 238×322",
        "YOLO26n-depth 256×320",
        "ZipDepth 256×320",
    ]
    assert len(list_peers(InputSize(520, 515))) == 4


def test_a_random_bundle_computes_what_the_module_does_in_every_precision(tmp_path: Path) -> None:
    module = tiny(SIZE)
    write_random_bundle(tmp_path / "b", module, InputSize(12, 20, 3), ("fp32", "fp16", "int8"))
    bundle = open_bundle(tmp_path / "b", any_tolerance=True)
    for precision, tolerance in (("fp32", 1e-4), ("fp16", 0.05), ("int8", 0.3)):
        require_same(bundle, module, precision, tolerance, count=3)
    assert bundle.manifest.model.flops == 2 * MULTIPLY_ADDS
    assert bundle.manifest.model.parameters == 4 * 27 + 4 + 4 + 1


def test_all_layers_of_its_int8_graph_are_int8(tmp_path: Path) -> None:
    write_random_bundle(tmp_path / "b", tiny(SIZE), SIZE, ("int8",))
    graph = onnx.load(open_bundle(tmp_path / "b", any_tolerance=True).graph("int8")).graph
    maker = {node.output[0]: node for node in graph.node}
    # The picture is laid out anew after it is rounded.
    made_by = {
        name: maker[node.input[0]].op_type if node.op_type == "Transpose" else node.op_type
        for name, node in maker.items()
    }
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 2
    assert {made_by[name] for node in convolutions for name in node.input[:2]} == {"DequantizeLinear"}


def test_a_peer_is_timed_at_its_own_size_on_golden_frames_in_turn(setup: Setup) -> None:
    contender = load_eager(setup, TINY)
    assert contender.infer
    assert contender.note == "random weights: time only"
    assert contender.peer
    depths = [contender.infer(np.zeros((1, 48, 64, 3), np.uint8)).depth for _ in range(4)]
    assert {depth.shape for depth in depths} == {(1, 12, 20)}
    assert (depths[0] != depths[1]).any()
    np.testing.assert_array_equal(depths[0], depths[3])


def test_a_peer_is_exported_once_and_again_where_the_file_is_damaged() -> None:
    built: list[InputSize] = []

    def build(size: InputSize) -> nn.Module:
        built.append(size)
        return tiny(size)

    peer = Peer("tiny", SIZE, build, (), "MIT")
    path = peer_bundle(peer).path
    assert peer_bundle(peer).path == path
    assert built == [SIZE]
    (path / "depth.fp32.onnx").write_bytes(b"damaged")
    peer_bundle(peer)
    assert built == [SIZE, SIZE]


@pytest.mark.parametrize("package", ["transformers", "ultralytics", "libreyolo"])
def test_a_missing_package_is_a_row_that_says_what_to_install(
    package: str, setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    peers = [peer for peer in list_peers(SIZE) if package in peer.packages]
    rows = load_all([entry for entry in entries(setup) if entry.name.startswith(peers[0].title)])
    assert rows
    for row in rows:
        assert row.infer is None
        assert row.precision == ""
        assert row.note == f"no {package}: pip install --group peers, in clipdepth's checkout"


def test_a_peer_that_fails_takes_nothing_from_the_others(setup: Setup) -> None:
    def build(size: InputSize) -> nn.Module:
        raise RuntimeError("this version\nhas changed")

    for load in (load_eager, load_best):
        row = load(setup, Peer("broken", SIZE, build, (), "MIT"))
        assert row.infer is None
        assert "this version" in row.note
        assert "has changed" not in row.note


def test_depth_anything_is_the_published_network() -> None:
    pytest.importorskip("transformers")
    size = InputSize(42, 56)
    module = depth_anything.build(size)
    assert sum(p.numel() for p in module.parameters()) / 1e6 == pytest.approx(24.8, abs=0.05)
    depth = module(torch.from_numpy(frames_of(size, 2)))
    assert depth.shape == (2, 42, 56)
    assert depth.dtype == torch.float32
    assert ((depth > 0) & (depth < 20)).all()


def test_depth_anything_is_exported_as_it_computes() -> None:
    pytest.importorskip("transformers")
    peer = depth_anything.peer(InputSize(28, 42))
    require_exported(peer)


def test_yolo_is_the_published_network() -> None:
    pytest.importorskip("ultralytics")
    module = yolo.build(InputSize(64, 96))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        depth = module(torch.zeros((1, 768, 768, 3), dtype=torch.uint8))
    assert depth.shape == (1, 768, 768)
    # Its documentation: 46.9 GFLOPs at 768 × 768.
    assert counter.get_total_flops() / 1e9 == pytest.approx(46.9, abs=0.05)


def test_yolo_is_exported_as_it_computes() -> None:
    pytest.importorskip("ultralytics")
    peer = yolo.peer(InputSize(64, 96))
    require_exported(peer)


LONELY = """
import os, socket, sys
def refuse(*_): sys.exit("it reached for the network")
socket.socket.connect = socket.getaddrinfo = refuse
import cv2, torch
before = dict(os.environ), torch.save, cv2.imread, cv2.getNumThreads()
from clipdepth.bundle.manifest import InputSize
from clipdepth_bench.families.peers import yolo
yolo.build(InputSize(32, 32))
assert (dict(os.environ), torch.save, cv2.imread, cv2.getNumThreads()) == before
"""


def test_yolo_stays_off_the_network_and_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ultralytics")
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    for name in ("YOLO_CONFIG_DIR", "YOLO_OFFLINE", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    done = subprocess.run([sys.executable, "-c", LONELY], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert list(files_below(tmp_path / "home")) == []


def files_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def test_zipdepth_is_exported_as_it_computes() -> None:
    pytest.importorskip("libreyolo")
    peer = zipdepth.peer(InputSize(64, 96))
    module = peer.build(peer.size)
    # Its documentation: about 6 million parameters.
    assert 5.5e6 < sum(parameter.numel() for parameter in module.parameters()) < 7e6
    require_exported(peer)


def test_msa_is_the_papers_at_the_papers_size() -> None:
    assert msa.peer().size == InputSize(416, 544)
    with pytest.raises(AssertionError):
        msa.build(InputSize(240, 320))
