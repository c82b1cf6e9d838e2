"""What a power cut does not take: files and folders that the disk was made to keep."""

import os
import sys
from pathlib import Path


def flush(path: Path) -> None:
    """Have the disk keep a file or folder now. Windows flushes no folders, and only files open for writing."""
    windows = sys.platform == "win32"
    if windows and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if windows else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
