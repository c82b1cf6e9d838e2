"""GStreamer's Python bindings, which the system's packages bring and pip does not."""

import ctypes
import os
import sys
from contextlib import suppress
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from typing import Any

from clipdepth.errors import MissingLibraryError

SYSTEM_PACKAGES = ["/usr/lib/python3/dist-packages"]
"""Where Debian, Ubuntu, Raspberry Pi OS and JetPack have python3-gi, which virtual environments do not see."""
PACKAGES = "python3-gi gir1.2-gst-plugins-base-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good"


def load_gstreamer() -> Any:
    """The module `Gst`, initialised; raises MissingLibraryError where it or its bindings are not installed."""
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:FATAL")
    _keep_unwinder()
    try:
        gi = _import_gi()
        for library in ("Gst", "GstApp"):
            gi.require_version(library, "1.0")
        # The class of appsinks has its methods only after GstApp is imported.
        import_module("gi.repository.GstApp")
        gst = import_module("gi.repository.Gst")
        started, _ = gst.init_check(None)
    except (ImportError, ValueError) as error:
        raise _missing(str(error)) from None
    if not started:
        raise _missing("GStreamer does not start")
    return gst


def _keep_unwinder() -> None:
    """See that C++ exceptions are still unwound by GCC's own library in what is loaded later, such as OpenVINO.

    GStreamer comes with libunwind, and the bindings load both for all to see: where libunwind is seen first, it takes
    the place of GCC's, and the next exception ends the process.
    """
    with suppress(OSError):  # no such library on macOS or Windows, nor the mishap
        ctypes.CDLL("libgcc_s.so.1", ctypes.RTLD_GLOBAL)


def _import_gi() -> Any:
    try:
        return import_module("gi")
    except ModuleNotFoundError:
        return _import_system_gi()


def _import_system_gi() -> Any:
    """The system's own `gi` and none of its other packages; it loads where the system's Python has our version."""
    spec = PathFinder.find_spec("gi", SYSTEM_PACKAGES)
    if spec is None or spec.loader is None:
        raise ImportError("No module named 'gi'")
    before = set(sys.modules)
    module = sys.modules["gi"] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        # Those that were there stay: a second `gi._gi` in one process spoils the memory of the first.
        for name in {"gi", *(name for name in set(sys.modules) - before if name.startswith("gi."))}:
            sys.modules.pop(name, None)
        raise
    return module


def _missing(reason: str) -> MissingLibraryError:
    version = ".".join(map(str, sys.version_info[:2]))
    return MissingLibraryError(
        f"GStreamer's Python bindings cannot be used by this Python {version} ({reason.splitlines()[0]}); on Debian "
        f"and its kin run 'apt install {PACKAGES}', in an environment of the system's own Python version, or "
        "'pip install PyGObject' for another one"
    )
