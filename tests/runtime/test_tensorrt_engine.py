"""The TensorRT engine on a simulated GPU, and what is said where there is no GPU or no TensorRT."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bundles import brightness_depth, write_bundle
from clipdepth.bundle.folder import open_bundle
from clipdepth.engines import load_engine, verify_engine
from clipdepth.engines.operations import Operation
from clipdepth.engines.tensorrt.engine import TensorRt, load
from clipdepth.engines.tensorrt.gpu import Gpu, find_gpu
from clipdepth.engines.tensorrt.library import import_tensorrt
from clipdepth.errors import EngineError, MissingExtraError
from tensorrt_cpu.simulated import SimulatedCuda, SimulatedTensorRt, Status, get_cuda_native_handle

GPU = Gpu("Simulated GPU", "8.7")
FRAME = (24, 32, 3)
Start = Callable[..., TensorRt]


def brightness(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    return brightness_depth(frame)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> SimulatedCuda:
    simulated = SimulatedCuda()
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", simulated)
    utilities = SimpleNamespace(get_cuda_native_handle=get_cuda_native_handle)
    monkeypatch.setitem(sys.modules, "cuda.bindings.utils", utilities)
    return simulated


@pytest.fixture
def start(cuda: SimulatedCuda, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Loads an engine that computes `brightness`, for one frame, or for up to `max_batch`."""

    def start_engine(max_batch: int | None = None, batch: int = 1, gpu: Gpu = GPU) -> TensorRt:
        inputs: dict[str, tuple[int, ...]] = {"frame": (batch if max_batch is None else -1, *FRAME)}
        trt = SimulatedTensorRt(cuda, brightness, inputs, max_batch or batch)
        monkeypatch.setitem(sys.modules, "tensorrt", trt)
        return TensorRt(b"engine", gpu)

    return start_engine


def frames(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, *FRAME), dtype=np.uint8)


def test_confidence_comes_with_depth_where_the_engine_has_it(
    cuda: SimulatedCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = ("depth", "confidence")
    trt = SimulatedTensorRt(cuda, brightness, {"frame": (-1, *FRAME)}, 3, outputs)
    monkeypatch.setitem(sys.modules, "tensorrt", trt)
    engine = TensorRt(b"engine", GPU)
    answers = [engine.infer(frames(count, count)) for count in (3, 3, 1)]
    for count, answer in zip((3, 3, 1), answers, strict=True):
        depth = brightness_depth(frames(count, count))
        np.testing.assert_array_equal(answer.depth, depth)
        np.testing.assert_allclose(answer.confidence, depth / 10, rtol=1e-6)


def test_depth_is_what_the_engine_computes_of_each_frame(start: Start) -> None:
    engine = start()
    depths = [engine.infer(frames(1, seed)).depth for seed in range(4)]
    for seed, depth in enumerate(depths):
        assert depth.shape == (1, 24, 32)
        assert depth.dtype == np.float32
        np.testing.assert_array_equal(depth, brightness_depth(frames(1, seed)))


def test_from_the_second_frame_on_a_cuda_graph_does_the_work(start: Start, cuda: SimulatedCuda) -> None:
    engine = start()
    for seed in range(4):
        engine.infer(frames(1, seed))
    assert cuda.launches == 3
    assert cuda.enqueued == 2  # once to run, once to record


def test_where_cuda_cannot_record_every_frame_is_queued(start: Start, cuda: SimulatedCuda) -> None:
    cuda.captures = False
    engine = start()
    for seed in range(4):
        np.testing.assert_array_equal(engine.infer(frames(1, seed)).depth, brightness_depth(frames(1, seed)))
    assert cuda.launches == 0
    assert cuda.enqueued == 5  # the attempt to record is not repeated


def test_where_recording_fails_half_way_every_frame_is_queued(
    start: Start, cuda: SimulatedCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = start()
    plain = cuda.cudaMemcpyAsync

    def cudaMemcpyAsync(*arguments: Any) -> tuple[Any]:
        return plain(*arguments) if cuda.captured is None else (Status.cudaErrorInvalidValue,)

    monkeypatch.setattr(cuda, "cudaMemcpyAsync", cudaMemcpyAsync)
    for seed in range(3):
        np.testing.assert_array_equal(engine.infer(frames(1, seed)).depth, brightness_depth(frames(1, seed)))
    assert cuda.launches == 0
    assert cuda.captured is None


def test_a_dynamic_batch_takes_any_number_up_to_the_largest(start: Start, cuda: SimulatedCuda) -> None:
    engine = start(max_batch=4)
    for seed, count in enumerate((4, 1, 1, 3, 3, 3, 4, 2)):
        given = frames(count, seed)
        np.testing.assert_array_equal(engine.infer(given).depth, brightness_depth(given))
    assert cuda.launches == 1  # the third 3
    assert cuda.enqueued == 7 + 3  # a recording each of 4, 1 and 3, and none of the last two
    with pytest.raises(
        EngineError, match=r"takes frame uint8 \(4, 24, 32, 3\) or fewer, not frame uint8 \(5, 24, 32, 3\)"
    ):
        engine.infer(frames(5))
    with pytest.raises(EngineError, match=r"not frame uint8 \(0, 24, 32, 3\)"):
        engine.infer(frames(0))


@pytest.mark.parametrize("wrong", [frames(2), frames(1)[:, 1:], frames(1).astype(np.float32), frames(0)])
def test_what_does_not_fit_is_an_error(start: Start, wrong: NDArray[np.uint8]) -> None:
    with pytest.raises(EngineError, match=r"takes frame uint8 \(1, 24, 32, 3\), not "):
        start().infer(wrong)


def test_each_thread_infers_on_the_gpu_that_the_engine_was_loaded_for(start: Start, cuda: SimulatedCuda) -> None:
    cuda.devices = 3
    engine = start(gpu=find_gpu(2))
    assert cuda.set_in == [("MainThread", 2)]
    with ThreadPoolExecutor(1, "infers") as pool:
        for seed in range(3):
            depth = pool.submit(engine.infer, frames(1, seed)).result().depth
            np.testing.assert_array_equal(depth, brightness_depth(frames(1, seed)))
    assert set(cuda.set_in[1:]) == {("infers_0", 2)}


def test_without_a_number_the_current_gpu_is_taken(cuda: SimulatedCuda) -> None:
    cuda.devices = 2
    cuda.cudaSetDevice(1)
    assert (find_gpu().index, find_gpu(0).index) == (1, 0)


def test_a_gpu_that_is_not_there_is_refused_in_a_line(cuda: SimulatedCuda) -> None:
    cuda.devices = 2
    with pytest.raises(
        EngineError, match=r"^there is no device 2: the numbers of each NVIDIA GPU here are 0 to 1; cho"
    ):
        find_gpu(2)
    cuda.devices = 0
    with pytest.raises(EngineError, match=r"^there is no NVIDIA GPU here"):
        find_gpu(1)


def test_an_engine_is_loaded_for_the_number_that_is_asked_for(
    start: Start, cuda: SimulatedCuda, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuda.devices = 2
    start().close()
    monkeypatch.setattr("clipdepth.engines.tensorrt.engine.EngineStore.require", lambda store, key: b"engine")
    bundle = open_bundle(write_bundle(tmp_path / "b", *FRAME[:2]))
    engine = load_engine(bundle, "tensorrt", device=1)
    assert cuda.gpu == 1
    cuda.cudaSetDevice(0)
    np.testing.assert_array_equal(engine.infer(frames(1)).depth, brightness_depth(frames(1)))
    assert cuda.gpu == 1
    with pytest.raises(EngineError, match="there is no device 2"):
        load_engine(bundle, "tensorrt", device=2)


def test_a_second_input_goes_with_the_frame(cuda: SimulatedCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    def both(frame: NDArray[np.uint8], segmentation: NDArray[np.uint8]) -> NDArray[np.float32]:
        return brightness_depth(frame) + 100 * brightness_depth(segmentation)

    inputs = {"segmentation": (1, *FRAME), "frame": (1, *FRAME)}
    monkeypatch.setitem(sys.modules, "tensorrt", SimulatedTensorRt(cuda, both, inputs))
    engine = TensorRt(b"engine", GPU)
    given = frames(1, 1), frames(1, 2)
    for _ in range(2):
        np.testing.assert_array_equal(engine.infer(*given).depth, both(*given))
    with pytest.raises(EngineError, match=r"takes segmentation .*, frame .*, not frame uint8 \(1, 24, 32, 3\)$"):
        engine.infer(given[0])


def test_everything_is_freed_once(start: Start, cuda: SimulatedCuda) -> None:
    engine = start()
    engine.infer(frames(1))
    assert cuda.device
    assert cuda.graphs
    engine.close()
    engine.close()
    assert [cuda.device, cuda.pinned, cuda.streams, cuda.graphs] == [{}, {}, {}, {}]
    with pytest.raises(EngineError, match="closed"):
        engine.infer(frames(1))


def test_a_lack_of_memory_is_told_and_leaves_nothing_behind(start: Start, cuda: SimulatedCuda) -> None:
    for memory in (100, 24 * 32 * 4 + 1, 24 * 32 * 4 * 2 + 1):
        cuda.memory = memory
        with pytest.raises(EngineError, match=r"cudaMalloc\w* answers cudaErrorMemoryAllocation"):
            start()
        assert [cuda.device, cuda.pinned, cuda.streams] == [{}, {}, {}]


def test_an_engine_that_fails_says_why_in_a_line(start: Start) -> None:
    engine = start()
    engine._context.fails = True
    with pytest.raises(EngineError, match=r"^TensorRT cannot run this engine: out of luck$"):
        engine.infer(frames(1))


def test_an_engine_of_another_device_is_refused(start: Start) -> None:
    start()
    for _ in range(2):
        with pytest.raises(
            EngineError, match=r"engine: the engine was built for another device; run 'clipdepth build' on"
        ):
            TensorRt(b"another", GPU)


def test_the_inspector_is_asked_with_the_shapes_known(start: Start) -> None:
    assert "(4, 24, 32, 3)" in start(max_batch=4).information()


def test_layers_are_told_by_the_graphs_names_and_timed_beside_the_recording(start: Start, cuda: SimulatedCuda) -> None:
    engine = start(max_batch=4)
    names = ("conv + relu", "conv", "relu")
    assert engine.operations() == [Operation("CaskConvolution", names, "int8")]
    pictures = frames(2)
    before = engine.infer(pictures).depth
    assert engine.profile(pictures) == [Operation("CaskConvolution", names, "int8", 1.5)]
    np.testing.assert_array_equal(engine.infer(pictures).depth, before)
    engine.close()
    assert not cuda.device
    for read in (engine.operations, lambda: engine.profile(pictures)):
        with pytest.raises(EngineError, match="was closed"):
            read()


def test_it_says_what_it_runs_on(start: Start) -> None:
    engine = start()
    assert (engine.name, engine.device) == ("tensorrt", "Simulated GPU, TensorRT 11.4.0")


def test_golden_frames_verify_it(start: Start, tmp_path: Path) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b", *FRAME[:2]))
    assert verify_engine(start(), bundle, "fp32").mean < 1e-6


def test_without_a_built_engine_the_command_is_named(start: Start, tmp_path: Path) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b", *FRAME[:2]))
    start()
    with pytest.raises(EngineError, match=r"no engine fp32 for Simulated GPU \(compute capability 8\.7\), TensorRT 11"):
        load(bundle, "fp32", 1)


def test_without_a_gpu_it_is_said_in_a_line(cuda: SimulatedCuda) -> None:
    assert find_gpu() == GPU
    cuda.devices = 0
    with pytest.raises(EngineError, match=r"^there is no NVIDIA GPU here; TensorRT needs one$"):
        find_gpu()


def test_without_a_driver_it_is_said_in_a_line(cuda: SimulatedCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "cudaGetDevice", lambda: (type(cuda.cudaGetDeviceCount()[0]).cudaErrorInvalidValue, None))
    monkeypatch.setattr(cuda.cudaGetDevice, "__name__", "cudaGetDevice")
    with pytest.raises(EngineError, match=r"cudaGetDevice answers cudaErrorInvalidValue; TensorRT needs one"):
        find_gpu()


def test_libraries_that_are_missing_are_named_with_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    with pytest.raises(MissingExtraError, match=r"needs tensorrt, .*clipdepth\[tensorrt\]"):
        import_tensorrt()
    with pytest.raises(MissingExtraError, match=r"needs cuda-bindings, .*clipdepth\[tensorrt\]"):
        find_gpu()


@pytest.mark.parametrize(
    ("version", "old"), [("8.6.1", True), ("10.2.0", True), ("10.3.0", False), ("11.4.0.1", False)]
)
def test_tensorrt_before_10_3_is_refused(
    start: Start, monkeypatch: pytest.MonkeyPatch, version: str, old: bool
) -> None:
    start()
    monkeypatch.setattr(sys.modules["tensorrt"], "__version__", version, raising=False)
    if old:
        with pytest.raises(EngineError, match=rf"TensorRT {version} is installed; install 10\.3 or newer"):
            import_tensorrt()
    else:
        assert import_tensorrt().__version__ == version
