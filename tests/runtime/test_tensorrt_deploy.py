"""`clipdepth build` with TensorRT's real parser and builder; ONNX Runtime stands in for the GPU that runs engines."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from rich.console import Console

from bundles import write_bundle, write_manifest
from clipdepth.bundle.answer import Answer
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.golden import Golden
from clipdepth.bundle.manifest import Precision
from clipdepth.cli import build as command
from clipdepth.engines.tensorrt.bars import ProgressBars
from clipdepth.engines.tensorrt.deploy import Deployment, deploy
from clipdepth.engines.tensorrt.gpu import Gpu
from clipdepth.engines.tensorrt.record import engine_key
from clipdepth.engines.tensorrt.store import EngineStore
from clipdepth.errors import EngineError, OutputError, UsageError, VerificationError
from tensorrt_cpu.graphs import SIDE, write_graph
from tensorrt_cpu.simulated import SimulatedCuda

pytest_plugins = ["tensorrt_cpu.plugin"]
pytestmark = pytest.mark.usefixtures("tensorrt")

ORIN = Gpu("Orin (nvgpu)", "8.7")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "clipdepth"


@dataclass
class StandIn:
    """A loaded engine: runs the graph in ONNX Runtime, `further` metres too far, and says it computes in `tells`."""

    graph: Path
    tells: str = "Half"
    further: float = 0
    name: str = "tensorrt"
    device: str = "stand-in"
    closed: list[bool] = field(default_factory=list)

    def infer(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
        session = onnxruntime.InferenceSession(self.graph)
        depth = session.run(["depth"], {"frame": frames})[0]
        return Answer(np.asarray(depth + self.further, np.float32))

    def information(self) -> str:
        product = {"LayerType": "gemm", "Inputs": [{"Format/Datatype": self.tells}]}
        return json.dumps({"Layers": [product, "reformat"]})

    def close(self) -> None:
        self.closed.append(True)


Make = Callable[[dict[Precision, tuple[str, ...]]], Bundle]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes a bundle whose graph of each precision has convolutions of the precisions given."""

    def make_bundle(graphs: dict[Precision, tuple[str, ...]]) -> Bundle:
        path = tmp_path / "small.bundle"
        names = tuple(graphs)
        write_bundle(path, SIDE, SIDE, precisions=names)
        for name, convolutions in graphs.items():
            write_graph(path / f"depth.{name}.onnx", convolutions)
        frames = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)
        depth = np.float32(1) + frames.mean(-1, dtype=np.float32)
        Golden(frames, depth, np.zeros_like(depth)).save(path / "golden.npz")
        write_manifest(path, SIDE, SIDE, names, tolerance=1e-3 if "fp32" in names else 0.02)
        return open_bundle(path)

    return make_bundle


def wanted(bundle: Bundle, precision: str, engine: StandIn | None = None) -> Deployment:
    loaded = engine or StandIn(bundle.graph(precision))
    return Deployment(bundle, engine_key(bundle, precision, ORIN, "11.4.0"), lambda plan: loaded)


def kept(bundle: Bundle) -> list[str]:
    folder = EngineStore(bundle).folder
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_verified_engine_is_kept_with_its_record(make: Make) -> None:
    bundle = make({"fp16": ("fp16", "fp16", "fp32")})
    plans: list[bytes] = []
    engine = StandIn(bundle.graph("fp16"))
    key = engine_key(bundle, "fp16", ORIN, "11.4.0")

    def load(plan: bytes) -> StandIn:
        plans.append(plan)
        return engine

    record = deploy(Deployment(bundle, key, load))
    assert engine.closed == [True]
    assert record.graph_precisions == {"fp16": 2, "fp32": 1}
    assert record.engine_precisions == {"fp16": 1}
    assert record.verification.passed
    assert record.verification.mean < 1e-3
    store = EngineStore(bundle)
    assert store.find(key) == record
    assert store.require(key) == plans[0]
    name = f"depth.fp16-orin-nvgpu-sm87-trt11.4.0-{key.graph_sha256[:8]}"
    assert kept(bundle) == [f"{name}.engine", f"{name}.json", "timing.cache"]


def test_a_bundle_that_cannot_be_written_gets_an_engine_too(make: Make) -> None:
    bundle = make({"fp16": ("fp16",)})
    bundle.path.chmod(0o500)
    before = {path.name: path.read_bytes() for path in bundle.path.iterdir()}
    deploy(wanted(bundle, "fp16"))
    assert {path.name: path.read_bytes() for path in bundle.path.iterdir()} == before
    assert len(kept(open_bundle(bundle.path))) == 3


def test_a_cache_of_another_user_is_refused_before_the_build(
    make: Make, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = make({"fp16": ("fp16",)})
    cache.mkdir(parents=True)
    monkeypatch.setattr("os.geteuid", lambda: cache.stat().st_uid + 1)
    with pytest.raises(OutputError, match="clipdepth in the cache belongs to another user; remove it, or set XDG"):
        deploy(wanted(bundle, "fp16"))
    assert kept(bundle) == []


def test_an_int8_graph_is_built_as_such(make: Make) -> None:
    bundle = make({"int8": ("int8", "int8", "fp32")})
    record = deploy(wanted(bundle, "int8", StandIn(bundle.graph("int8"), tells="Int8")))
    assert record.graph_precisions == {"int8": 2, "fp32": 1}


def test_a_graph_that_is_fp32_in_disguise_is_refused_before_the_build(make: Make) -> None:
    bundle = make({"fp16": ("fp32", "fp32", "fp16")})
    with pytest.raises(EngineError, match=r"depth\.fp16\.onnx is not fp16: .* are 2 in fp32, 1 in fp16"):
        deploy(wanted(bundle, "fp16"))
    assert kept(bundle) == []


def test_a_graph_of_another_contract_is_refused_before_the_build(make: Make) -> None:
    bundle = make({"fp16": ("fp16",)})
    model = onnx.load(bundle.graph("fp16"))
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    onnx.save(model, bundle.graph("fp16"))
    with pytest.raises(EngineError, match=r"depth\.fp16\.onnx does not turn a uint8 'frame' into"):
        deploy(wanted(bundle, "fp16"))
    assert kept(bundle) == []


def test_an_engine_that_is_fp32_in_disguise_is_refused(make: Make) -> None:
    bundle = make({"fp16": ("fp16",)})
    with pytest.raises(EngineError, match=r"the fp16 engine of .*small\.bundle is not fp16: .* are 1 in fp32"):
        deploy(wanted(bundle, "fp16", StandIn(bundle.graph("fp16"), tells="Row major linear FP32")))
    assert kept(bundle) == ["timing.cache"]


@pytest.mark.parametrize(("further", "told"), [(20.0, "mean"), (np.nan, "NaN")])
def test_an_engine_whose_depth_is_wrong_is_not_kept(make: Make, further: float, told: str) -> None:
    bundle = make({"fp16": ("fp16",)})
    engine = StandIn(bundle.graph("fp16"), further=further)
    with pytest.raises(VerificationError, match=f"differs from PyTorch: .*{told}.*; no engine was written"):
        deploy(wanted(bundle, "fp16", engine))
    assert engine.closed == [True]
    assert kept(bundle) == ["timing.cache"]


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> dict[str, StandIn]:
    """What the command finds instead of a GPU; `device[plan]` would be the engine, here the one of the last graph."""
    engines: dict[str, StandIn] = {}
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", SimulatedCuda())
    monkeypatch.setattr(command, "TensorRt", lambda plan, gpu: engines["next"])
    return engines


def test_the_command_builds_once(make: Make, device: dict[str, StandIn], capsys: pytest.CaptureFixture[str]) -> None:
    bundle = make({"fp32": ("fp32",), "fp16": ("fp16",)})
    device["next"] = StandIn(bundle.graph("fp16"))
    assert command.main([str(bundle.path), "--workspace-mb", "512"]) == 0
    first = capsys.readouterr().out
    assert "fp16 at 8×8: built in" in first
    assert "fp32: " not in first
    assert "1 in fp16" in first
    [engine] = EngineStore(bundle).folder.glob("*.engine")
    assert str(engine) in first.replace("\n", "")
    written = engine.stat().st_mtime_ns
    assert json.loads(engine.with_suffix(".json").read_text())["workspace_mb"] == 512
    device["next"] = StandIn(bundle.graph("fp16"), further=np.nan)
    assert command.main([str(bundle.path), "--precision", "fp16"]) == 0
    assert "fp16 at 8×8: built before" in capsys.readouterr().out
    assert engine.stat().st_mtime_ns == written


def test_the_command_builds_fp32_where_it_is_asked_for_or_alone(make: Make, device: dict[str, StandIn]) -> None:
    bundle = make({"fp32": ("fp32",)})
    device["next"] = StandIn(bundle.graph("fp32"), tells="Float")
    assert command.main([str(bundle.path)]) == 0
    assert [name.partition("-")[0] for name in kept(bundle)[:2]] == ["depth.fp32"] * 2


def test_the_thread_that_builds_has_the_gpu_that_is_asked_for(
    make: Make, device: dict[str, StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    cuda = SimulatedCuda(devices=2)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", cuda)
    bundle = make({"fp16": ("fp16",)})
    device["next"] = StandIn(bundle.graph("fp16"))
    with pytest.raises(EngineError, match=r"^there is no device 2: .* are 0 to 1"):
        command.main([str(bundle.path), "--device", "2"])
    assert cuda.set_in == []
    assert command.main([str(bundle.path), "--device", "1"]) == 0
    assert [gpu for _, gpu in cuda.set_in] == [1, 1]
    assert {thread.partition("_")[0] for thread, _ in cuda.set_in} == {"MainThread", "tensorrt-build"}


def test_limits_that_are_looser_are_said(
    make: Make, device: dict[str, StandIn], capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = make({"fp16": ("fp16",)})
    device["next"] = StandIn(bundle.graph("fp16"))
    for _ in range(2):
        assert command.main([str(bundle.path)]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "fp16 agrees with PyTorch by limits looser than fp16's own: mean 0.02 instead of 0.005" in said


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("arguments", [["--precision", "int4"], ["--workspace-mb", "0"], ["--precisions", "fp32"]])
def test_misuse_of_the_command(make: Make, arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        command.main([str(make({"fp32": ("fp32",)}).path), *arguments])


def test_without_a_gpu_the_command_says_so(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = make({"fp32": ("fp32",)})
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", SimulatedCuda(devices=0))
    with pytest.raises(EngineError, match=r"^there is no NVIDIA GPU here; TensorRT needs one$"):
        command.main([str(bundle.path)])
    assert kept(bundle) == []


def test_bars_follow_phases_inside_phases() -> None:
    screen = StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    with ProgressBars(console) as bars:
        bars.start("Building engine", None, 3)
        bars.start("Timing tactics", "Building engine", 7)
        bars.advance("Timing tactics", 5)
        bars.start("Timing nodes", "Timing tactics", 2)
        bars.finish("Timing nodes")
        bars.finish("Timing tactics")
        bars.advance("Building engine", 2)
        bars.advance("Timing tactics", 6)
    text = screen.getvalue()
    assert "  Timing tactics" in text
    assert "    Timing nodes" in text
    assert "5/7" in text
    assert "2/3" in text
