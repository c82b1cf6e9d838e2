"""OpenVINO's own ways: its precision, its devices and its cache."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import small_graphs
from bundles import write_bundle, write_manifest
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.engines import load_engine
from clipdepth.errors import EngineError

openvino = pytest.importorskip("openvino")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def convolutions(path: Path) -> tuple[Bundle, list[np.ndarray]]:
    """A bundle whose fp32 graph is two convolutions, and their weights."""
    generator = np.random.default_rng(2)
    weights = [generator.uniform(0.1, 1, shape).astype(np.float32) for shape in ((16, 3), (1, 16))]
    write_bundle(path, small_graphs.HEIGHT, small_graphs.WIDTH)
    small_graphs.convolutions(path / "depth.fp32.onnx", weights)
    write_manifest(path, small_graphs.HEIGHT, small_graphs.WIDTH)
    return open_bundle(path), weights


def test_fp32_is_fp32_even_where_the_cpu_has_bf16(tmp_path: Path) -> None:
    bundle, weights = convolutions(tmp_path / "b")
    frames = small_graphs.frames(1)
    depth = load_engine(bundle, "openvino").infer(frames).depth
    np.testing.assert_allclose(depth, small_graphs.expected(frames, weights), rtol=1e-5)


@pytest.mark.parametrize("device", ["GPU", "NPU"])
def test_a_device_that_is_not_there_is_an_error_with_its_remedy(tmp_path: Path, device: str) -> None:
    if any(name.startswith(device) for name in openvino.Core().available_devices):
        pytest.skip(f"there is a {device}")
    with pytest.raises(EngineError, match=rf"finds no {device} here \(there: CPU\); install Intel's .*'render'"):
        load_engine(open_bundle(write_bundle(tmp_path / "b")), f"openvino-{device.lower()}")


def test_no_thread_is_bound_to_a_core_while_it_infers(tmp_path: Path) -> None:
    """Two processes that infer on a core each would share the first one."""
    bundle, _ = convolutions(tmp_path / "b")
    engine, frames = load_engine(bundle, "openvino", threads=1), small_graphs.frames(1)
    allowed, seen = os.sched_getaffinity(0), []
    with ThreadPoolExecutor(1) as pool:
        inferring = pool.submit(lambda: [engine.infer(frames) for _ in range(300)])
        while not inferring.done():
            seen += [os.sched_getaffinity(int(task.name)) for task in Path("/proc/self/task").iterdir()]
    assert [affinity for affinity in seen if affinity != allowed] == []


def test_a_second_start_finds_what_the_first_compiled(tmp_path: Path, cache: Path) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b"))
    frames = bundle.golden().frames[:1]
    depths = [load_engine(bundle, "openvino").infer(frames).depth for _ in range(2)]
    assert len(list(cache.rglob("*.blob"))) == 1
    np.testing.assert_array_equal(depths[0], depths[1])


def test_a_cache_that_cannot_be_written_only_costs_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    engine = load_engine(open_bundle(write_bundle(tmp_path / "b")), "openvino")
    assert engine.infer(np.zeros((1, 48, 64, 3), np.uint8)).depth.max() == pytest.approx(0.5)
    assert "compiles at every start" in caplog.text


@pytest.mark.parametrize(
    ("there", "index", "name"),
    [
        (["CPU", "GPU"], None, "GPU"),
        (["CPU", "GPU"], 0, "GPU"),
        (["CPU", "GPU.0", "GPU.1", "NPU"], None, "GPU"),
        (["CPU", "GPU.0", "GPU.1", "NPU"], 1, "GPU.1"),
    ],
)
def test_a_gpu_is_found_by_its_number(there: list[str], index: int | None, name: str) -> None:
    from clipdepth.engines.openvino import find_device

    core = SimpleNamespace(available_devices=there, get_property=lambda device, key: f" {device}'s name ")
    assert find_device(core, "GPU", index) == (name, f"{name}'s name")


def test_a_gpu_that_openvino_does_not_have_is_refused() -> None:
    from clipdepth.engines.openvino import find_device

    with pytest.raises(
        EngineError, match=r"^there is no device 1: the numbers of each GPU of OpenVINO here are 0 alone"
    ):
        find_device(SimpleNamespace(available_devices=["CPU", "GPU"]), "GPU", 1)
