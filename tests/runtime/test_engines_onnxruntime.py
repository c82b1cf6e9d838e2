"""What ONNX Runtime's engines share and what its GPU providers say where there is no GPU."""

import ctypes
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import small_graphs
from bundles import brightness_depth, brightness_graph, write_bundle
from clipdepth.bundle.folder import open_bundle
from clipdepth.engines import hardware, load_engine
from clipdepth.engines.nvidia import require_gpu
from clipdepth.engines.onnxruntime_cpu import load_graph
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
    depths = [call({"frame": part}).depth for part in parts]
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
    first, second = (call({"frame": frame[None]}).depth for frame in frames)
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


def half_graph(path: Path) -> Path:
    """Write frame → half → convolution, clipped to 0 … 6 → convolution to one channel."""
    rng = np.random.default_rng(0)
    held = {
        "weight": rng.uniform(-0.01, 0.02, (8, 3, 3, 3)).astype(np.float16),
        "bias": np.full(8, 0.1, np.float16),
        "least": np.float16(0),
        "most": np.float16(6),
        "last": np.full((1, 8, 1, 1), 0.5, np.float16),
        "one": np.array([1]),
    }
    nodes = [
        helper.make_node("Cast", ["frame"], ["half"], name="cast", to=TensorProto.FLOAT16),
        helper.make_node("Transpose", ["half"], ["x"], name="transpose", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["x", "weight", "bias"], ["y"], name="conv", pads=[1] * 4),
        helper.make_node("Clip", ["y", "least", "most"], ["z"], name="clip"),
        helper.make_node("Conv", ["z", "last"], ["sum"], name="last"),
        helper.make_node("Squeeze", ["sum", "one"], ["flat"], name="squeeze"),
        helper.make_node("Cast", ["flat"], ["depth"], name="out", to=TensorProto.FLOAT),
    ]
    return small_graphs.save(path, nodes, held)


def test_a_half_graph_is_fused_as_an_fp32_one_is(tmp_path: Path) -> None:
    path = half_graph(tmp_path / "half.onnx")
    restored, plain = load_graph(path, 1, in_half=True), load_graph(path, 1)
    frame = small_graphs.frames(1)
    np.testing.assert_allclose(restored.infer(frame).depth, plain.infer(frame).depth, rtol=2e-3)
    assert "Clip" not in {operation.kind for operation in restored.operations()}


@pytest.mark.parametrize(
    ("flags", "overflows"),
    [("fpu sse avx2 avx512f", True), ("avx2 avx512_vnni", False), ("avx2 avx_vnni", False), ("asimd asimddp", False)],
)
def test_int8_overflows_on_x86_without_vnni_alone(
    flags: str, overflows: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Linux lists a processor's instructions; ARM calls the line Features."""
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr(hardware, "_CPU", tmp_path / "cpuinfo")
    assert hardware.overflows_in_int8() == overflows


@pytest.mark.parametrize(
    ("features", "overflows"), [({11, 13}, True), ({11, 13, 23}, False), ({13}, False), (set(), False)]
)
def test_int8_overflows_where_opencv_tells_of_avx2_without_vnni(
    features: set[int], overflows: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows and macOS, which have no /proc; 11 is AVX2, 23 VNNI in OpenCV's cvdef.h. ARM has neither."""
    monkeypatch.setattr(hardware, "_CPU", tmp_path / "none")
    monkeypatch.setattr("cv2.checkHardwareSupport", lambda feature: feature in features)
    assert hardware.overflows_in_int8() == overflows


def test_opencv_tells_of_this_processor_what_linux_tells() -> None:
    flags = set(Path("/proc/cpuinfo").read_text().partition("flags")[2].partition("\n")[0].split())
    assert set(hardware._flags_by_opencv()) == {"avx2", "avx512_vnni"} & flags
