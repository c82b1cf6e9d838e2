"""GStreamer of the system's packages, which tests skip without."""

import pytest

from clipdepth.errors import MissingLibraryError
from clipdepth.sources.gstreamer_bindings import load_gstreamer

_REMEDY = "Debian: the packages of tests/debian.txt"


def require_gstreamer(*elements: str) -> None:
    """Skip the test where GStreamer, its Python bindings or one of `elements` is not installed."""
    try:
        gst = load_gstreamer()
    except MissingLibraryError as error:
        pytest.skip(f"needs GStreamer ({_REMEDY}): {error}")
    missing = [name for name in elements if not gst.ElementFactory.find(name)]
    if missing:
        pytest.skip(f"needs GStreamer's {', '.join(missing)} ({_REMEDY})")
