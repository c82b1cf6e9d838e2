import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bundles import OPSET, brightness_depth, write_bundle, write_manifest
from clipdepth.bundle.folder import open_bundle
from clipdepth.engines import load_engine, usable_cores, verify_engine
from clipdepth.errors import EngineError, MissingExtraError, UsageError

needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="needs openvino")
ANYWHERE = ["onnxruntime", pytest.param("openvino", marks=needs_openvino)]
"""Engines that need no GPU."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("name", ANYWHERE)
def test_depth_is_what_numpy_computes(tmp_path: Path, name: str) -> None:
    engine = load_engine(open_bundle(write_bundle(tmp_path / "b", 24, 32)), name, threads=1)
    frame = np.random.default_rng(5).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    depth = engine.infer(frame[None]).depth
    assert (depth.shape, depth.dtype) == ((1, 24, 32), np.float32)
    np.testing.assert_allclose(depth[0], brightness_depth(frame), rtol=1e-6)
    engine.close()


@pytest.mark.parametrize("name", ANYWHERE)
def test_depth_does_not_depend_on_the_threads(tmp_path: Path, name: str) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b", 24, 32))
    frames = bundle.golden().frames[:1]
    depths = [load_engine(bundle, name, threads=threads).infer(frames).depth for threads in (1, 2, None)]
    np.testing.assert_allclose(depths[1], depths[0], rtol=1e-6)
    np.testing.assert_allclose(depths[2], depths[0], rtol=1e-6)


@pytest.mark.parametrize("name", ANYWHERE)
def test_it_says_its_name_and_device(tmp_path: Path, name: str) -> None:
    engine = load_engine(open_bundle(write_bundle(tmp_path / "b")), name)
    assert engine.name == name
    assert engine.device


@pytest.mark.parametrize("name", ANYWHERE)
def test_a_closed_engine_says_so(tmp_path: Path, name: str) -> None:
    engine = load_engine(open_bundle(write_bundle(tmp_path / "b")), name)
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.infer(np.zeros((1, 48, 64, 3), np.uint8))


@pytest.mark.parametrize("name", ANYWHERE)
def test_frames_of_another_size_are_an_error_of_ours(tmp_path: Path, name: str) -> None:
    engine = load_engine(open_bundle(write_bundle(tmp_path / "b")), name)
    with pytest.raises(EngineError, match=r"\(1, 9, 9, 3\)"):
        engine.infer(np.zeros((1, 9, 9, 3), np.uint8))


@pytest.mark.parametrize("name", ANYWHERE)
def test_frames_of_another_type_are_an_error_of_ours(tmp_path: Path, name: str) -> None:
    engine = load_engine(open_bundle(write_bundle(tmp_path / "b")), name)
    with pytest.raises(EngineError, match="cannot run frames"):
        engine.infer(np.zeros((1, 48, 64, 3), np.float32))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ANYWHERE)
def test_frames_need_not_be_contiguous_and_depth_outlives_the_next_frame(tmp_path: Path, name: str) -> None:
    engine = load_engine(open_bundle(write_bundle(tmp_path / "b", 24, 32)), name)
    wide = np.random.default_rng(6).integers(0, 256, (2, 24, 64, 3), dtype=np.uint8)
    wide.flags.writeable = False
    first, second = (engine.infer(frame[None, :, ::2]).depth for frame in wide)
    np.testing.assert_allclose(first[0], brightness_depth(wide[0, :, ::2]), rtol=1e-6)
    np.testing.assert_allclose(second[0], brightness_depth(wide[1, :, ::2]), rtol=1e-6)


def test_an_engine_whose_library_is_missing_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b"))
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "clipdepth.engines.openvino", raising=False)
    with pytest.raises(MissingExtraError, match=r"needs openvino.*pip install 'clipdepth\[openvino\]'"):
        load_engine(bundle, "openvino")


def test_an_engine_whose_library_is_broken_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b"))
    (tmp_path / "openvino.py").write_text("raise ImportError('libtbb.so.12: cannot open shared object file')")
    for name in ("openvino", "clipdepth.engines.openvino"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(EngineError, match=r"libtbb\.so\.12.*--force-reinstall 'clipdepth\[openvino\]'"):
        load_engine(bundle, "openvino")


def test_onnx_runtime_reports_nothing_to_its_maker(tmp_path: Path, cache: Path) -> None:
    bundle = write_bundle(tmp_path / "b")
    code = (
        "import sys; from pathlib import Path; from clipdepth.bundle.folder import open_bundle;"
        "from clipdepth.engines import load_engine; load_engine(open_bundle(Path(sys.argv[1])))"
    )
    silent = ("CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS")  # it reports nothing where one is set
    environment = {name: value for name, value in os.environ.items() if name not in silent}
    subprocess.run([sys.executable, "-c", code, str(bundle)], env=environment, check=True)
    assert not list(cache.rglob("*"))


def test_unknown_engines_and_precisions_are_misuse(tmp_path: Path) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b"))
    with pytest.raises(UsageError, match="unknown engine 'warp'; choose one of onnxruntime"):
        load_engine(bundle, "warp")
    with pytest.raises(UsageError, match="no int8 graph"):
        load_engine(bundle, precision="int8")


@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "openvino-npu"])
def test_a_device_is_for_engines_on_gpus(tmp_path: Path, name: str) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b"))
    with pytest.raises(UsageError, match=rf"^engine '{name}' is not for GPUs, .* no device 1; .* onnxruntime-cuda, "):
        load_engine(bundle, name, device=1)


@pytest.mark.parametrize("name", ANYWHERE)
def test_a_file_that_is_no_graph_is_an_engine_error(tmp_path: Path, name: str) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b"))
    bundle.graph("fp32").write_bytes(b"no graph")
    with pytest.raises(EngineError, match=r"cannot load .*depth\.fp32\.onnx"):
        load_engine(bundle, name)


@pytest.mark.parametrize("name", ANYWHERE)
def test_a_graph_of_another_contract_is_refused(tmp_path: Path, name: str) -> None:
    path = write_bundle(tmp_path / "b")
    graph = helper.make_graph(
        [helper.make_node("Relu", ["image"], ["depth"])],
        "other",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 48, 64])],
        [helper.make_tensor_value_info("depth", TensorProto.FLOAT, [1, 48, 64])],
    )
    opset = helper.make_opsetid("", OPSET)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=10), path / "depth.fp32.onnx")
    write_manifest(path, 48, 64)
    with pytest.raises(EngineError, match="uint8 'frame'"):
        load_engine(open_bundle(path), name)


def test_verification_compares_with_the_golden_depth(tmp_path: Path) -> None:
    sound = open_bundle(write_bundle(tmp_path / "sound", frames=3))
    agreement = verify_engine(load_engine(sound), sound, "fp32")
    assert agreement.passed
    assert agreement.frames == 3
    assert agreement.largest < 1e-6
    wrong = open_bundle(write_bundle(tmp_path / "wrong", wrong_by=0.998, tolerance=1e-3))
    agreement = verify_engine(load_engine(wrong), wrong, "fp32")
    assert not agreement.passed
    assert agreement.mean == pytest.approx(0.002, rel=1e-3)
    assert agreement.tolerance.mean == 1e-3


def test_at_least_one_core() -> None:
    assert usable_cores() >= 1
