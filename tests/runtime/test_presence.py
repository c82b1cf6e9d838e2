"""What is said of an engine that cannot be here, before its library is loaded."""

import sys
from pathlib import Path

import pytest

from clipdepth.engines import ENGINES
from clipdepth.engines.presence import find_absence
from clipdepth.errors import MissingDeviceError, MissingExtraError

linux = pytest.mark.skipif(sys.platform != "linux", reason="has no device files")


@pytest.mark.parametrize("name", ENGINES)
def test_a_library_that_is_not_installed_is_named_with_its_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ENGINES[name].imports:
        monkeypatch.setitem(sys.modules, module, None)
    absence = find_absence(name)
    assert isinstance(absence, MissingExtraError)
    assert f"pip install 'clipdepth[{ENGINES[name].extra}]'" in str(absence)


def test_an_engine_on_the_cpu_needs_its_library_alone() -> None:
    assert find_absence("onnxruntime") is None


def test_without_a_driver_no_engine_of_nvidias_gpus_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError("libcuda.so.1: cannot open shared object file")

    monkeypatch.setattr("clipdepth.engines.nvidia.ctypes.CDLL", missing)
    absence = find_absence("onnxruntime-cuda")
    assert isinstance(absence, MissingDeviceError)
    assert "no NVIDIA driver here (libcuda.so.1" in str(absence)
    monkeypatch.setattr("clipdepth.engines.nvidia.ctypes.CDLL", lambda name: None)
    assert find_absence("onnxruntime-cuda") is None


@linux
@pytest.mark.parametrize(("engine", "file"), [("openvino-gpu", "dri/renderD128"), ("openvino-npu", "accel/accel0")])
def test_without_a_device_file_there_is_no_device(engine: str, file: str, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    absence = find_absence(engine, tmp_path)
    assert isinstance(absence, MissingDeviceError)
    assert str(absence).startswith(f"there is no {ENGINES[engine].hardware} here: it needs one of Intel's")
    (tmp_path / file).parent.mkdir()
    (tmp_path / file).touch()
    assert find_absence(engine, tmp_path) is None
