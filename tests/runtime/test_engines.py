from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bundles import OPSET, brightness_depth, write_bundle, write_manifest
from clipdepth.bundle import open_bundle
from clipdepth.engines import ENGINES, load_engine, usable_cores, verify_engine
from clipdepth.errors import EngineError, UsageError

ANYWHERE = [name for name in ENGINES if name != "tensorrt"]
"""Engines that need no GPU; those of TensorRT have tests of their own."""


@pytest.mark.parametrize("name", ANYWHERE)
def test_depth_is_what_numpy_computes(tmp_path: Path, name: str) -> None:
    engine = load_engine(open_bundle(write_bundle(tmp_path / "b", 24, 32)), name, threads=1)
    frame = np.random.default_rng(5).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    depth = engine.infer(frame[None])
    assert (depth.shape, depth.dtype) == ((1, 24, 32), np.float32)
    np.testing.assert_allclose(depth[0], brightness_depth(frame), rtol=1e-6)
    engine.close()


@pytest.mark.parametrize("name", ANYWHERE)
def test_depth_does_not_depend_on_the_threads(tmp_path: Path, name: str) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b", 24, 32))
    frames = bundle.golden().frames[:1]
    depths = [load_engine(bundle, name, threads=threads).infer(frames) for threads in (1, 2, None)]
    np.testing.assert_allclose(depths[1], depths[0], rtol=1e-6)
    np.testing.assert_allclose(depths[2], depths[0], rtol=1e-6)


@pytest.mark.parametrize("name", ANYWHERE)
def test_it_says_its_name_and_device(tmp_path: Path, name: str) -> None:
    engine = load_engine(open_bundle(write_bundle(tmp_path / "b")), name)
    assert engine.name == name
    assert engine.device


def test_a_closed_engine_says_so(tmp_path: Path) -> None:
    engine = load_engine(open_bundle(write_bundle(tmp_path / "b")))
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.infer(np.zeros((1, 48, 64, 3), np.uint8))


def test_frames_of_another_size_are_an_error_of_ours(tmp_path: Path) -> None:
    engine = load_engine(open_bundle(write_bundle(tmp_path / "b")))
    with pytest.raises(EngineError, match=r"\(1, 9, 9, 3\)"):
        engine.infer(np.zeros((1, 9, 9, 3), np.uint8))


def test_unknown_engines_and_precisions_are_misuse(tmp_path: Path) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b"))
    with pytest.raises(UsageError, match="unknown engine 'warp'; choose one of onnxruntime"):
        load_engine(bundle, "warp")
    with pytest.raises(UsageError, match="no int8 graph"):
        load_engine(bundle, precision="int8")


def test_a_file_that_is_no_graph_is_an_engine_error(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "b")
    (path / "depth.fp32.onnx").write_bytes(b"no graph")
    write_manifest(path, 48, 64)
    with pytest.raises(EngineError, match=r"cannot load .*depth\.fp32\.onnx"):
        load_engine(open_bundle(path))


def test_a_graph_of_another_contract_is_refused(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "b")
    graph = helper.make_graph(
        [helper.make_node("Identity", ["image"], ["depth"])],
        "other",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 48, 64])],
        [helper.make_tensor_value_info("depth", TensorProto.FLOAT, [1, 48, 64])],
    )
    opset = helper.make_opsetid("", OPSET)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=10), path / "depth.fp32.onnx")
    write_manifest(path, 48, 64)
    with pytest.raises(EngineError, match="uint8 'frame'"):
        load_engine(open_bundle(path))


def test_verification_compares_with_the_golden_depth(tmp_path: Path) -> None:
    sound = open_bundle(write_bundle(tmp_path / "sound", frames=3))
    agreement = verify_engine(load_engine(sound), sound, "fp32")
    assert agreement
    assert agreement.frames == 3
    assert agreement.largest < 1e-6
    wrong = open_bundle(write_bundle(tmp_path / "wrong", wrong_by=0.98, tolerance=0.01))
    agreement = verify_engine(load_engine(wrong), wrong, "fp32")
    assert not agreement
    assert agreement.mean == pytest.approx(0.02, rel=1e-3)
    assert agreement.tolerance.mean == 0.01


def test_at_least_one_core() -> None:
    assert usable_cores() >= 1
