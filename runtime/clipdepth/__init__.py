"""clipdepth on the device: metric depth of pictures and cameras. Needs neither PyTorch nor ONNX.

import clipdepth

model = clipdepth.load("edge-nyu")
for image, depth in model.stream(0):
    ...
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipdepth.camera.camera import Camera
    from clipdepth.errors import (
        BundleError,
        ClipdepthError,
        EngineError,
        MissingExtraError,
        NotMetricError,
        OutputError,
        SourceError,
        UnknownCameraError,
        UsageError,
        VerificationError,
    )
    from clipdepth.files.depth_file import read_depth
    from clipdepth.frame import DepthFrame
    from clipdepth.model import DepthModel, load, stream
    from clipdepth.sources.mode import CameraMode

__all__ = [
    "BundleError",
    "Camera",
    "CameraMode",
    "ClipdepthError",
    "DepthFrame",
    "DepthModel",
    "EngineError",
    "MissingExtraError",
    "NotMetricError",
    "OutputError",
    "SourceError",
    "UnknownCameraError",
    "UsageError",
    "VerificationError",
    "__version__",
    "load",
    "read_depth",
    "stream",
]

__version__: str
"""The installed package's version, which git's tags gave its build; "0+unknown" for sources not installed."""

_MODULES = {
    "Camera": "camera.camera",
    "CameraMode": "sources.mode",
    "DepthFrame": "frame",
    "DepthModel": "model",
    "load": "model",
    "read_depth": "files.depth_file",
    "stream": "model",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for on first use, so that `import clipdepth` stays light."""
    if name == "__version__":
        return _version()
    if name not in __all__:
        raise AttributeError(f"module 'clipdepth' has no attribute '{name}'")
    return getattr(import_module(f"clipdepth.{_MODULES.get(name, 'errors')}"), name)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # takes as long as all of `clipdepth --help`

    try:
        return version("clipdepth")
    except PackageNotFoundError:
        return "0+unknown"


def __dir__() -> list[str]:
    return __all__
