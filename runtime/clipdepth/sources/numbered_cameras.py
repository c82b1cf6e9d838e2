"""The cameras of Windows and macOS, which OpenCV opens by their numbers."""

import sys

from clipdepth.errors import MissingLibraryError
from clipdepth.sources.camera import BACKENDS
from clipdepth.sources.found import FoundCamera


def numbered_cameras() -> list[FoundCamera]:
    """Their numbers, as `--source` takes them, and names; their modes are not told before they are opened."""
    try:
        from cv2_enumerate_cameras import enumerate_cameras
    except ImportError as error:
        raise MissingLibraryError(
            f"cameras cannot be listed ({error}); run pip install cv2-enumerate-cameras, or try --source 0"
        ) from None
    return [FoundCamera(str(info.index), info.name) for info in enumerate_cameras(BACKENDS[sys.platform])]
