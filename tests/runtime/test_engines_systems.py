"""Core ML's and DirectML's engines where there is neither: what they ask for, what they refuse, and what they say.

Azure's provider, which takes no node, and the CPU's, which takes all, stand in for theirs.
"""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import onnxruntime
import pytest

from bundles import brightness_depth, write_bundle
from clipdepth.bundle.box import BOX
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.engines import Engine, load_engine, onnxruntime_coreml, onnxruntime_directml
from clipdepth.engines.onnxruntime_coreml import COREML, HEAVY, coreml_provider
from clipdepth.engines.onnxruntime_directml import DIRECTML, directml_options, directml_provider
from clipdepth.engines.onnxruntime_session import CPU
from clipdepth.engines.presence import find_absence
from clipdepth.errors import EngineError, MissingDeviceError

AZURE = "AzureExecutionProvider"
needs_azure = pytest.mark.skipif(AZURE not in onnxruntime.get_available_providers(), reason="a build without Azure")
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return open_bundle(write_bundle(tmp_path / "b"))


def stand_in(monkeypatch: pytest.MonkeyPatch, module: ModuleType, constant: str, provider: str) -> None:
    """Have the engine of `module` take `provider` for its own."""
    monkeypatch.setattr(module, constant, provider)


@pytest.mark.parametrize(("name", "provider"), [("coreml", COREML), ("directml", DIRECTML)])
def test_without_its_provider_an_engine_is_refused_in_one_line(bundle: Bundle, name: str, provider: str) -> None:
    if provider in onnxruntime.get_available_providers():
        pytest.skip(f"{provider} is here")
    with pytest.raises(MissingDeviceError) as refused:
        load_engine(bundle, name)
    assert f"has no {provider}; on" in str(refused.value)
    assert f"pip install {'--force-reinstall ' if name == 'coreml' else ''}'clipdepth[{name}]'" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("name", "home"), [("coreml", "darwin"), ("directml", "win32")])
def test_auto_tries_an_engine_on_its_own_system_alone(name: str, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for system in ("linux", "darwin", "win32"):
        monkeypatch.setattr(sys, "platform", system)
        absence = find_absence(name)
        assert (absence is None) == (system == home)
        assert absence is None or str(absence).startswith(f"engine '{name}' runs on ")


def test_core_ml_keeps_what_it_compiles_in_a_folder_of_the_graph_alone(tmp_path: Path) -> None:
    name, options = coreml_provider(tmp_path)
    assert (name, options["ModelFormat"], options["RequireStaticInputShapes"]) == (COREML, "MLProgram", "1")
    assert options["ModelCacheDirectory"] == str(tmp_path)
    assert "ModelCacheDirectory" not in coreml_provider(None)[1]
    other = open_bundle(write_bundle(tmp_path / "c", 24, 32, precisions=("fp32", "fp16")))
    folders = [onnxruntime_coreml._compiled(other, other.graph(precision)) for precision in ("fp32", "fp16")]
    assert len({*folders}) == 2
    assert all(folder is not None and folder.is_dir() for folder in folders)


def test_directml_lays_out_no_memory_ahead_and_runs_in_turn() -> None:
    options = directml_options(3)
    assert not options.enable_mem_pattern
    assert options.execution_mode == onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    assert directml_provider(1) == (DIRECTML, {"device_id": 1})
    assert directml_provider(None) == (DIRECTML, {"performance_preference": "high_performance"})


def assert_right(engine: Engine) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (1, 48, 64, 3), np.uint8)
    np.testing.assert_allclose(engine.infer(frames).depth, brightness_depth(frames), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:Duplicate provider")
def test_directml_answers_as_the_graph_does(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, onnxruntime_directml, "DIRECTML", CPU)
    monkeypatch.setattr(onnxruntime_directml, "directml_provider", lambda device: (CPU, {}))
    engine = load_engine(bundle, "directml", device=0)
    assert (engine.name, engine.device) == ("directml", "CPU")
    assert_right(engine)


@needs_azure
def test_core_ml_says_what_stays_on_the_cpu_and_leaves_no_convolution_there(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, onnxruntime_coreml, "COREML", AZURE)
    monkeypatch.setattr(onnxruntime_coreml, "coreml_provider", lambda compiled: (AZURE, {}))
    engine = load_engine(bundle, "coreml")
    assert engine.device == "Azure, with 1 ReduceMean, 1 Mul, 1 Add on the CPU"
    assert_right(engine)
    box = open_bundle(BOX / "edge-nyu")
    for precision in ("fp16", "int8"):
        with pytest.raises(
            EngineError, match=r"elsewhere than on Azure\S+: [0-9]+ Conv(, [0-9]+ Gemm)?; choose another precision"
        ):
            load_engine(box, "coreml", precision)
    assert {"Conv", "MatMul"} <= HEAVY


@needs_azure
def test_directml_leaves_nothing_to_the_cpu(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, onnxruntime_directml, "DIRECTML", AZURE)
    monkeypatch.setattr(onnxruntime_directml, "directml_provider", lambda device: (AZURE, {}))
    with pytest.raises(EngineError, match=r"runs 3 nodes of .* elsewhere than on Azure"):
        load_engine(bundle, "directml")
