"""What ONNX Runtime's engines share and what its GPU providers say where there is no GPU."""

import ctypes
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest

from bundles import brightness_depth, brightness_graph, write_bundle
from clipdepth.bundle.folder import open_bundle
from clipdepth.engines import load_engine
from clipdepth.engines.nvidia import require_gpu
from clipdepth.engines.onnxruntime_gpu import BoundCall, cuda_provider
from clipdepth.engines.onnxruntime_session import open_session, session_options
from clipdepth.errors import EngineError

CPU = "CPUExecutionProvider"
no_gpu = pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="there is a GPU")
plain = pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="onnxruntime-gpu is installed"
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def batches(tmp_path: Path) -> Path:
    """The brightness graph for any number of frames."""
    model = brightness_graph(24, 32)
    for port in (model.graph.input[0], model.graph.output[0]):
        port.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.save(model, tmp_path / "batches.onnx")
    return tmp_path / "batches.onnx"


def test_a_session_that_lands_elsewhere_is_refused(batches: Path) -> None:
    with pytest.raises(EngineError, match=f"on {CPU}, asked for CUDAExecutionProvider"):
        open_session(batches, session_options(1), "CUDAExecutionProvider", [(CPU, {})])


def test_threads_are_as_many_as_asked_and_sleep_between_frames() -> None:
    options = session_options(3)
    assert options.intra_op_num_threads == 3
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_bound_tensors_give_the_depth_of_each_batch_and_keep_none(batches: Path) -> None:
    call = BoundCall(open_session(batches, session_options(1), CPU, [(CPU, {})]), "cpu")
    frames = np.random.default_rng(1).integers(0, 256, (5, 24, 64, 3), dtype=np.uint8)[:, :, ::2]
    parts = [frames[:2], frames[2:3], frames[3:]]
    depths = [call({"frame": part}) for part in parts]
    for part, depth in zip(parts, depths, strict=True):
        np.testing.assert_allclose(depth, brightness_depth(part), rtol=1e-6)


def test_depth_lands_in_the_array_that_is_handed_out(batches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = open_session(batches, session_options(1), CPU, [(CPU, {})])
    written: list[int] = []
    run = session.run_with_iobinding

    def run_and_look(binding: onnxruntime.IOBinding) -> None:
        run(binding)
        written.append(binding.get_outputs()[0].data_ptr())

    monkeypatch.setattr(session, "run_with_iobinding", run_and_look)
    call = BoundCall(session, "cpu")
    frames = np.random.default_rng(2).integers(0, 256, (2, 24, 32, 3), dtype=np.uint8)
    first, second = (call({"frame": frame[None]}) for frame in frames)
    assert written == [first.ctypes.data, second.ctypes.data]
    assert not np.shares_memory(first, second)


@plain
def test_onnxruntime_without_cuda_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"has no CUDAExecutionProvider; .*pip install 'clipdepth\[gpu\]'"):
        load_engine(open_bundle(write_bundle(tmp_path / "b")), "onnxruntime-cuda")


@no_gpu
def test_without_a_driver_the_plugin_is_not_even_loaded(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"no NVIDIA driver here \(libcuda\.so\.1.*; install it, or give"):
        load_engine(open_bundle(write_bundle(tmp_path / "b")), "onnxruntime-rtx")


class Driver(SimpleNamespace):
    """`libcuda.so.1` with two GPUs."""

    def __init__(self, status: int = 0) -> None:
        def cuDeviceGetCount(count: ctypes.c_int) -> int:
            count._obj.value = 2  # type: ignore[attr-defined]
            return 0

        super().__init__(cuInit=lambda flags: status, cuDeviceGetCount=cuDeviceGetCount)


def test_a_gpu_that_the_driver_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipdepth.engines.nvidia.ctypes.CDLL", lambda name: Driver())
    for device in (None, 0, 1):
        require_gpu(device)
    with pytest.raises(EngineError, match=r"^there is no device 2: the numbers of each NVIDIA GPU here are 0 to 1"):
        require_gpu(2)
    monkeypatch.setattr("clipdepth.engines.nvidia.ctypes.CDLL", lambda name: Driver(100))
    with pytest.raises(EngineError, match=r"^no NVIDIA GPU can be used here: cuInit answers 100; look at nvidia-smi$"):
        require_gpu(0)


@pytest.mark.parametrize(("device", "number"), [(None, 0), (0, 0), (3, 3)])
def test_cuda_gets_the_number(device: int | None, number: int) -> None:
    name, options = cuda_provider(device)
    assert (name, options["device_id"], options["use_tf32"]) == ("CUDAExecutionProvider", number, 0)
