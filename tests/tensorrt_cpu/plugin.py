"""A pytest plugin: TensorRT's real ONNX parser and builder on a Linux machine that has no GPU and no TensorRT.

The `tensorrt` fixture is TensorRT's own Python bindings over the libraries of TensorRT for RTX, which build ahead of
time without a GPU; `shim.c` joins the two. Networks are parsed and built for real; engines cannot be loaded or run.
What it accepts is what TensorRT for RTX accepts, a near relative of TensorRT and not the same build.

Where this cannot be set up, its tests skip with the reason; with CLIPDEPTH_TENSORRT_CPU=required they fail instead.
"""

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from importlib import import_module, metadata, util
from pathlib import Path
from types import ModuleType

import pytest

BINDINGS, LIBRARIES = "tensorrt-cu13-bindings", "onnxruntime-ep-nv-tensorrt-rtx-cu13"
SHIMS = {"CORE": "libnvinfer.so", "PARSER": "libnvonnxparser.so", "PLUGINS": "libnvinfer_plugin.so"}


@pytest.fixture
def tensorrt(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What `import tensorrt` gives during the test."""
    try:
        module = load_tensorrt()
    except UnavailableError as error:
        if os.environ.get("CLIPDEPTH_TENSORRT_CPU") == "required":
            pytest.fail(f"needs TensorRT's parser: {error}")
        pytest.skip(f"needs TensorRT's parser: {error}")
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    return module


class UnavailableError(Exception):
    """Why TensorRT cannot be had here."""


@cache
def load_tensorrt() -> ModuleType:
    """TensorRT's module; raises UnavailableError saying why it cannot be had here."""
    if util.find_spec("tensorrt"):
        return import_module("tensorrt")
    if not sys.platform.startswith("linux") or os.uname().machine != "x86_64":
        raise UnavailableError("there are libraries for Linux on x86-64 only")
    if not shutil.which("gcc"):
        raise UnavailableError("gcc is not installed")
    libraries = _rtx_libraries()
    major = _version(BINDINGS).partition(".")[0]
    # Loaded one by one and kept apart: in one scope the bindings would find the RTX functions without the shim.
    for path in libraries:
        ctypes.CDLL(str(path))
    with tempfile.TemporaryDirectory() as folder:
        for part, name in SHIMS.items():
            ctypes.CDLL(str(_compile(part, Path(folder) / f"{name}.{major}")))
    return import_module("tensorrt_bindings")


def _rtx_libraries() -> list[Path]:
    _version(LIBRARIES)
    files = [Path(str(file.locate())) for file in metadata.files(LIBRARIES) or ()]
    names = ("libtensorrt_rtx.so", "libtensorrt_onnxparser_rtx.so")
    return [file for name in names for file in files if file.name.startswith(name)]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        raise UnavailableError(f"{package} is not installed") from None


def _compile(part: str, library: Path) -> Path:
    source = Path(__file__).with_name("shim.c")
    command = [
        "gcc",
        "-shared",
        "-fPIC",
        f"-D{part}",
        f"-Wl,-soname,{library.name}",
        "-o",
        str(library),
        str(source),
        "-ldl",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnavailableError(f"gcc cannot compile {source}: {done.stderr}")
    return library
