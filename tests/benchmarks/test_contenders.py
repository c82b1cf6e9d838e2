"""PyTorch as a contender: on the CPU, and what a GPU would run, tried on the CPU as far as it goes."""

import copy
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bundles import brightness_depth, write_bundle
from clipdepth.bundle.agreement import TOLERANCES
from clipdepth.bundle.folder import open_bundle
from clipdepth.errors import EngineError
from clipdepth_bench.contender import Contender, Entry, Setup, absent, load_all
from clipdepth_bench.families import pytorch as on_cpu
from clipdepth_bench.families import pytorch_cuda as on_cuda
from clipdepth_bench.families.compiling import compiled_call
from clipdepth_bench.families.fast_form import ChannelsLast, fast_form
from clipdepth_bench.families.torch_call import TorchCall, weight_bytes
from clipdepth_bench.registry import find_entry, list_entries
from clipdepth_train.checkpoint import load_run
from clipdepth_train.imported.framed import Framed

CPU = torch.device("cpu")
FRAMES = np.random.default_rng(0).integers(0, 256, (2, 8, 12, 3), dtype=np.uint8)


class Brightness(nn.Module):
    """What the tests' bundles compute."""

    def forward(self, frame: Tensor) -> Tensor:
        return 0.5 + frame.float().mean(-1) / 255 * 5


class Slow(Brightness):
    """The same, in 30 ms."""

    def forward(self, frame: Tensor) -> Tensor:
        time.sleep(0.03)
        return super().forward(frame)


class NoBf16(nn.Module):
    """An operator that knows no bf16."""

    def forward(self, picture: Tensor) -> Tensor:
        if picture.dtype == torch.bfloat16:
            raise RuntimeError("no bf16")
        return picture[:, 0]


class Broken(nn.Module):
    """No network."""

    def forward(self, frame: Tensor) -> Tensor:
        return torch.zeros(2) @ torch.zeros(3)


@pytest.fixture
def setup(run: Path) -> Setup:
    return Setup(open_bundle(run.with_name("tiny.bundle")), str(run), 1)


def test_a_model_takes_arrays_and_gives_arrays() -> None:
    depth = TorchCall(Brightness(), CPU)(FRAMES).depth
    assert depth.dtype == np.float32
    assert depth == pytest.approx(brightness_depth(FRAMES), rel=1e-6)


def test_computing_is_a_part_of_the_whole() -> None:
    duration = TorchCall(Slow(), CPU).measure(FRAMES)
    assert duration.compute is not None
    assert 0.03 <= duration.compute <= duration.total
    assert duration.total < 1


def test_pytorch_with_the_runs_weights_is_the_golden_depth(setup: Setup) -> None:
    eager = find_entry(setup, "PyTorch eager fp32").load()
    assert eager.agreement
    assert eager.agreement.passed
    assert eager.stopwatch is not None
    golden = setup.bundle.golden()
    assert eager.infer is not None
    assert eager.infer(golden.frames[:1]).depth == pytest.approx(golden.depth[:1], rel=1e-3)
    model, _ = load_run(Path(setup.run or ""))
    assert eager.model_bytes == weight_bytes(model.deployable())


@pytest.mark.parametrize(("precision", "least", "most"), [("fp32", 0, 1e-4), ("bf16", 1e-5, 5e-2)])
def test_the_folded_form_is_close(setup: Setup, precision: str, least: float, most: float) -> None:
    row = find_entry(setup, f"PyTorch folded channels-last {precision}").load()
    assert row.agreement
    assert least < row.agreement.mean < most
    assert row.agreement.tolerance == TOLERANCES["int8" if precision == "bf16" else precision]


def test_half_precision_is_close_and_is_half(setup: Setup) -> None:
    """On the CPU, which computes in fp16 slowly: the way is that of a GPU."""
    half = on_cuda.load_on(CPU, setup, on_cuda.FOLDED, "fp16")
    full = on_cuda.load_on(CPU, setup, on_cuda.EAGER, "fp32")
    assert half.agreement
    assert full.agreement
    assert half.agreement.passed
    assert full.agreement.passed
    assert 1e-6 < half.agreement.mean < 5e-3
    assert full.agreement.mean < half.agreement.mean
    assert half.model_bytes is not None
    assert full.model_bytes is not None
    assert half.model_bytes < 0.6 * full.model_bytes
    assert half.stopwatch == half.measure
    assert half.measure is not None
    assert half.measure(setup.bundle.golden().frames[:1]).compute is not None
    assert half.timed_by == "CUDA events"


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_fast_form_is_folded_and_channels_last(setup: Setup, precision: str, dtype: torch.dtype) -> None:
    model = fast_form(on_cpu.deployed_model(setup), setup.bundle.golden().frames[:1], precision)
    assert isinstance(model, ChannelsLast)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    kernels = [p for p in model.model.network.parameters() if p.ndim == 4 and min(p.shape[1:3]) > 1]
    assert kernels
    assert all(p.dtype == dtype and p.is_contiguous(memory_format=torch.channels_last) for p in kernels)


def test_a_model_of_another_project_has_a_fast_form() -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 1, 3))
    model = Framed(layers, torch.exp).eval().requires_grad_(False)
    exact = TorchCall(model, CPU)(FRAMES).depth
    for precision, tolerance in (("fp32", 1e-5), ("bf16", 0.05)):
        fast = fast_form(copy.deepcopy(model), FRAMES[:1], precision)
        assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules())
        assert TorchCall(fast, CPU)(FRAMES).depth == pytest.approx(exact, rel=tolerance)


def test_what_does_not_run_in_bf16_says_so(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_cpu, "deployed_model", lambda _: Framed(NoBf16()).eval())
    row = find_entry(setup, "PyTorch folded channels-last bf16").load()
    assert row.infer is None
    assert row.note == "it does not run here: no bf16"


@pytest.mark.parametrize(("precision", "allowed"), [("fp32", False), ("tf32", True)])
def test_a_gpus_row_runs_with_tf32_as_it_says(
    setup: Setup, precision: str, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[bool] = set()
    model = on_cpu.deployed_model(setup)
    model.network.register_forward_pre_hook(lambda *_: seen.add(torch.backends.cudnn.allow_tf32))
    monkeypatch.setattr(on_cuda, "deployed_model", lambda _: model)
    row = on_cuda.load_on(CPU, setup, on_cuda.EAGER, precision)
    assert seen == {allowed}
    assert row.agreement
    assert row.agreement.tolerance == TOLERANCES["fp16" if allowed else "fp32"]


@pytest.mark.parametrize("allowed", [False, True])
def test_tf32_is_allowed_in_its_own_calls_alone(allowed: bool) -> None:
    seen: list[bool] = []

    def model(frame: Tensor) -> Tensor:
        seen.append(torch.backends.cudnn.allow_tf32)
        return frame[..., 0].float()

    before = torch.backends.cudnn.allow_tf32
    TorchCall(model, CPU, tf32=allowed).measure(FRAMES)
    assert seen == [allowed]
    assert torch.backends.cudnn.allow_tf32 == before


def test_every_pytorch_row_is_known_as_one_to_comparisons(setup: Setup) -> None:
    """Else it is taken for a peer, which is the same network in every report."""
    assert {entry.name for entry in on_cpu.entries(setup)} == set(on_cpu.NAMES)
    assert {entry.name for entry in on_cuda.entries(setup)} == set(on_cuda.NAMES)


def test_without_a_gpu_its_rows_say_so(setup: Setup) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    for entry in on_cuda.entries(setup):
        assert "finds no CUDA GPU here" in entry.load().note


def test_all_but_compiling_can_be_listed_alone(setup: Setup) -> None:
    names = {entry.name for entry in list_entries(setup)}
    without = {entry.name for entry in list_entries(Setup(setup.bundle, None, 1, compile=False))}
    assert names - without == {"torch.compile", "torch.compile CUDA"}
    assert list_entries(setup)[0].key == "PyTorch eager fp32"


@pytest.mark.slow
def test_compiled_is_the_same_depth() -> None:
    call = compiled_call(Brightness(), CPU, FRAMES[:1])
    assert call(FRAMES[:1]).depth == pytest.approx(brightness_depth(FRAMES[:1]), rel=1e-6)


@pytest.mark.slow
def test_compiled_weights_are_frozen() -> None:
    model = Framed(nn.Conv2d(3, 1, 3, padding=1)).eval().requires_grad_(False)
    call = compiled_call(model, CPU, FRAMES[:1])
    before = call(FRAMES[:1]).depth
    assert before == pytest.approx(TorchCall(model, CPU)(FRAMES[:1]).depth, abs=1e-4)
    nn.init.zeros_(model.network.weight)  # type: ignore[arg-type]
    assert call(FRAMES[:1]).depth == pytest.approx(before)


def test_what_cannot_be_compiled_says_so_in_a_line() -> None:
    with pytest.raises(EngineError, match=r"torch\.compile fails on this model: ") as raised:
        compiled_call(Broken(), CPU, FRAMES[:1])
    assert "\n" not in str(raised.value)


def test_without_a_compiler_there_is_a_row_that_says_so(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    row = find_entry(setup, "torch.compile fp32").load()
    assert row.infer is None
    assert "no C++ compiler here" in row.note


def test_a_name_that_is_missing_altogether_has_one_row(tmp_path: Path) -> None:
    def entry(name: str, precision: str, note: str) -> Entry:
        return Entry(name, precision, lambda: absent(name, precision, note))

    def present(name: str, precision: str) -> Entry:
        return Entry(name, precision, lambda: Contender(name, precision, "CPU", TorchCall(Brightness(), CPU), None))

    missing = [entry("a", "fp32", "no a"), entry("a", "fp16", "no a")]
    differs = [entry("b", "fp32", "no b"), entry("b", "fp16", "no half")]
    half = [present("c", "fp32"), entry("c", "fp16", "no half")]
    heard: list[str] = []
    rows = load_all([*missing, *differs, *half], heard.append)
    assert [row.key for row in rows] == ["a", "b fp32", "b fp16", "c fp32", "c fp16"]
    assert heard == ["a fp32", "a fp16", "b fp32", "b fp16", "c fp32", "c fp16"]


def test_an_engine_is_as_large_as_its_graph(tmp_path: Path) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b"))
    engine = find_entry(Setup(bundle, None, 1), "onnxruntime fp32").load()
    assert engine.model_bytes == bundle.graph("fp32").stat().st_size
    engine.close()
    assert engine.infer is not None
    with pytest.raises(EngineError, match="closed"):
        engine.infer(bundle.golden().frames[:1])
