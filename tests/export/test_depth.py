"""ONNX Runtime's depth of pictures that no export has seen is PyTorch's."""

from contextlib import closing
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from clipdepth.bundle.folder import Bundle
from clipdepth.engines import load_engine
from clipdepth.rooms import Room, default_intrinsics
from clipdepth_train.checkpoint import load_run


@pytest.fixture(scope="module")
def unseen() -> NDArray[np.uint8]:
    """Two views of another room, noise, black and white: (5, 64, 96, 3)."""
    camera = default_intrinsics(64, 96)
    views = [Room(4242).render(seconds, camera).frame for seconds in (0.0, 4.0)]
    noise = np.random.default_rng(11).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    return np.stack([*views, noise, np.zeros_like(noise), np.full_like(noise, 255)])


def torch_depth(run: Path, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The trained model as it is evaluated, training-time branches and all."""
    model, _ = load_run(run)
    model.mirror = False
    with torch.no_grad():
        return np.asarray(model(torch.from_numpy(frames)).numpy(), np.float32)


def graph_depth(graph: Path, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"frame": frame[None]})[0] for frame in frames])


def difference(depth: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    return float(np.mean(np.abs(depth - reference) / reference))


def test_onnx_runtime_gives_pytorchs_depth(exported: Bundle, unseen: NDArray[np.uint8]) -> None:
    reference = torch_depth(exported.path.with_suffix(""), unseen)
    depth = graph_depth(exported.graph("fp32"), unseen)
    assert difference(depth, reference) <= 1e-4
    # Of a depth that hardly depends on the picture this would say nothing.
    assert difference(reference[[1, 0, 4, 2, 3]], reference) > 1e-2
    assert difference(reference[:3, ..., ::-1], reference[:3]) > 1e-2


def test_depth_stays_in_the_stated_range(exported: Bundle, unseen: NDArray[np.uint8]) -> None:
    depth = graph_depth(exported.graph("fp32"), unseen)
    stated = exported.manifest.depth
    assert stated.minimum - 1e-6 <= depth.min() < depth.max() <= stated.maximum + 1e-6


def test_openvino_gives_pytorchs_depth_of_the_same_graph(exported: Bundle, unseen: NDArray[np.uint8]) -> None:
    pytest.importorskip("openvino")
    with closing(load_engine(exported, "openvino")) as engine:
        depth = np.concatenate([engine.infer(frame[None]).depth for frame in unseen])
    assert difference(depth, torch_depth(exported.path.with_suffix(""), unseen)) <= 1e-4
