"""Engines built by TensorRT's real builder, without a GPU."""

import signal
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from clipdepth.engines.tensorrt.build import build_plan
from clipdepth.engines.tensorrt.library import tensorrt_log
from clipdepth.engines.tensorrt.network import parse_graph
from clipdepth.engines.tensorrt.progress import NoProgress
from clipdepth.errors import EngineError
from tensorrt_cpu.graphs import node, save, write_graph

pytest_plugins = ["tensorrt_cpu.plugin"]
pytestmark = pytest.mark.usefixtures("tensorrt")


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_an_engine_is_built_in_every_precision(tmp_path: Path, precision: str) -> None:
    plan = build_plan(parse_graph(write_graph(tmp_path / "a.onnx", (precision,))), max_batch=1)
    assert len(plan.engine) > 1000
    assert plan.timing_cache


def test_half_weights_make_a_smaller_engine(tmp_path: Path) -> None:
    sizes = {}
    for dtype in (np.float32, np.float16):
        nodes = [
            node("Cast", ["frame"], "float", to=TensorProto.FLOAT if dtype is np.float32 else TensorProto.FLOAT16),
            node("MatMul", ["float", "weight"], "mixed"),
            node("MatMul", ["mixed", "back"], "small"),
            node("Cast", ["small"], "again", to=TensorProto.FLOAT),
            node("ReduceMean", ["again", "axis"], "depth", keepdims=0),
        ]
        weight = np.random.default_rng(0).normal(size=(3, 100_000)).astype(dtype)
        constants: dict[str, NDArray[Any]] = {
            "weight": weight,
            "back": weight.T.copy(),
            "axis": np.array([3], np.int64),
        }
        path = save(tmp_path / f"{dtype.__name__}.onnx", nodes, constants)
        sizes[dtype] = len(build_plan(parse_graph(path), max_batch=1).engine)
    assert sizes[np.float32] - sizes[np.float16] > 0.9 * 2 * 300_000 * 2


def test_a_dynamic_batch_gets_a_profile_up_to_the_largest(tmp_path: Path) -> None:
    """A graph that can only do three frames at a time builds for three and no more."""
    nodes = [
        node("Cast", ["frame"], "float", to=TensorProto.FLOAT),
        node("ReduceMean", ["float", "axis"], "mean", keepdims=0),
        node("Add", ["mean", "three"], "depth"),
    ]
    constants: dict[str, NDArray[Any]] = {"axis": np.array([3], np.int64), "three": np.ones((3, 8, 8), np.float32)}
    parsed = parse_graph(save(tmp_path / "three.onnx", nodes, constants, "batch"))
    assert build_plan(parsed, max_batch=3).engine
    with pytest.raises(EngineError, match=r"^TensorRT [\d.]+ cannot build an engine of .*three\.onnx: .+") as error:
        build_plan(parsed, max_batch=4)
    message = str(error.value)
    assert "\n" not in message
    with pytest.raises(EngineError) as error:
        build_plan(parsed, max_batch=4)
    assert str(error.value).count(";") == message.count(";")  # nothing of the build before


def test_every_input_of_a_dynamic_batch_is_in_the_profile(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "a.onnx", batch="batch")
    model = onnx.load(path)
    second = model.graph.input.add()
    second.CopyFrom(model.graph.input[0])
    second.name = "segmentation"
    model.graph.node[-1].output[0] = "plain"
    model.graph.node.extend(
        [
            node("Cast", ["segmentation"], "painted", to=TensorProto.FLOAT),
            node("ReduceMean", ["painted", "last"], "shade", keepdims=0),
            node("Add", ["plain", "shade"], "depth"),
        ]
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([3], np.int64), "last"))
    onnx.save(model, path)
    assert build_plan(parse_graph(path), max_batch=2).engine


def test_a_timing_cache_of_something_else_is_left_aside(tmp_path: Path) -> None:
    parsed = parse_graph(write_graph(tmp_path / "a.onnx"))
    plan = build_plan(parsed, max_batch=1, timing_cache=b"of another GPU")
    assert plan.engine
    assert plan.timing_cache != b"of another GPU"
    assert build_plan(parsed, max_batch=1, timing_cache=plan.timing_cache).engine


@pytest.mark.parametrize("refusal", [None, RuntimeError("of another version")])
def test_a_timing_cache_that_cannot_even_be_read_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: RuntimeError | None
) -> None:
    """What TensorRT does depends on its version: it may warn, raise, or give None."""
    parsed = parse_graph(write_graph(tmp_path / "a.onnx"))
    config = type(parsed.builder.create_builder_config())
    plain = config.create_timing_cache

    def create(self: Any, content: bytes) -> Any:
        if content != b"old":
            return plain(self, content)
        if refusal is not None:
            raise refusal
        return None

    monkeypatch.setattr(config, "create_timing_cache", create)
    assert build_plan(parsed, 1, timing_cache=b"old").timing_cache


def test_engines_are_built_without_tf32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tensorrt: ModuleType) -> None:
    parsed = parse_graph(write_graph(tmp_path / "a.onnx"))
    config = parsed.builder.create_builder_config()
    assert config.get_flag(tensorrt.BuilderFlag.TF32)  # TensorRT's default
    monkeypatch.setattr(type(parsed.builder), "create_builder_config", lambda builder: config)
    assert build_plan(parsed, 1).engine
    assert not config.get_flag(tensorrt.BuilderFlag.TF32)


def test_a_workspace_may_be_limited(tmp_path: Path) -> None:
    assert build_plan(parse_graph(write_graph(tmp_path / "a.onnx")), 1, workspace_mb=64).engine


class Diary:
    """Notes every phase: its parent, its steps and how many of them were done."""

    def __init__(self) -> None:
        self.parents: dict[str, str | None] = {}
        self.steps: dict[str, int] = {}
        self.done: dict[str, int] = {}
        self.running: list[str] = []

    def start(self, phase: str, parent: str | None, steps: int) -> None:
        assert parent is None or parent in self.running
        self.running.append(phase)
        self.parents[phase], self.steps[phase] = parent, steps

    def advance(self, phase: str, done: int) -> None:
        assert 1 <= done <= self.steps[phase]
        self.done[phase] = done

    def finish(self, phase: str) -> None:
        self.running.remove(phase)


def test_progress_is_told_phase_by_phase(tmp_path: Path) -> None:
    diary = Diary()
    build_plan(parse_graph(write_graph(tmp_path / "a.onnx")), 1, progress=diary)
    assert [phase for phase, parent in diary.parents.items() if parent is None] == ["Building engine"]
    assert len(diary.parents) > 3
    assert diary.running == []
    assert diary.done["Building engine"] >= diary.steps["Building engine"] - 1


class Impatient(NoProgress):
    """Presses Ctrl-C when the build has begun."""

    def start(self, phase: str, parent: str | None, steps: int) -> None:
        signal.raise_signal(signal.SIGINT)


def test_an_interruption_ends_the_build(tmp_path: Path) -> None:
    parsed = parse_graph(write_graph(tmp_path / "a.onnx", ("fp32",) * 40))
    with pytest.raises(KeyboardInterrupt):
        build_plan(parsed, 1, progress=Impatient())
    assert "BuildCanceled" in " ".join(tensorrt_log().errors)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("tensorrt-build")]
    assert build_plan(parsed, 1).engine
