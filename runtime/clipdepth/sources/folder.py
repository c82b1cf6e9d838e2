"""Images of a folder or a pattern, in the order that a person would count them."""

import glob
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import SourceError
from clipdepth.files.picture_file import PictureError, decode_picture, jpeg_segments
from clipdepth.sources import Captured

_LOG = logging.getLogger(__name__)

_REMEDY = "copy it again or remove it"

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts"),
    *(".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".mjpeg", ".mjpg", ".ogv"),
)


class FolderSource:
    """Images as a stream. They carry no time: frame i is at i seconds. Those that cannot be read are left out."""

    live = False
    fps = None

    def __init__(self, name: str, files: Sequence[Path]) -> None:
        self.name = name
        self.losses = 0
        self._files = tuple(files)

    @property
    def frame_count(self) -> int:
        """See `Source.frame_count`."""
        return len(self._files)

    def __iter__(self) -> Iterator[Captured]:
        """See `Source.__iter__`; raises SourceError where not one image can be read."""
        for index, file in enumerate(self._files):
            try:
                image = read_image(file)
            except SourceError as error:
                self.losses += 1
                if self.losses == len(self._files):
                    raise
                _LOG.warning("%s", error, extra={"source": self.name})
            else:
                yield Captured(image, float(index), index)

    def close(self) -> None:
        """See `Source.close`."""

    def __enter__(self) -> "FolderSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_folder(path: Path) -> FolderSource:
    """The colour images of folder `path` in natural order (2 before 10); raises SourceError for none.

    Where there are images named rgb_*, as in the NYU Depth v2 folders, only those are taken. PNG files of
    16 bits a channel are depth and are left out, whatever their name.
    """
    colour = colour_images(path)
    if not colour:
        raise SourceError(f"{path} has no colour images; it needs {', '.join(IMAGE_SUFFIXES)} files")
    return FolderSource(str(path), colour)


def colour_images(path: Path) -> list[Path]:
    """The files that `open_folder` reads; empty for none."""
    images = [file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()]
    colour = [file for file in images if file.name.startswith("rgb_")] or [
        file for file in images if not _is_16_bit_png(file)
    ]
    return sorted(colour, key=lambda file: natural_order(file.name))


def open_images(pattern: str) -> FolderSource:
    """The colour images of a pattern such as 'frames/**/*.png', in natural order; raises SourceError for none."""
    files = [Path(name) for name in glob.glob(pattern, recursive=True)]  # noqa: PTH207, a pattern may be absolute
    images = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()]
    colour = [file for file in images if not _is_16_bit_png(file)]
    if not colour:
        raise SourceError(f"no colour image is called '{pattern}'; it needs {', '.join(IMAGE_SUFFIXES)} files")
    return FolderSource(pattern, sorted(colour, key=lambda file: [natural_order(part) for part in file.parts]))


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image as (H, W, 3) uint8 BGR; raises SourceError for one that is damaged or cut short."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}); check the file") from None
    return decode_image(data, str(path))


def decode_image(data: bytes, name: str) -> NDArray[np.uint8]:
    """Decode an image file as (H, W, 3) uint8 BGR.

    Raises SourceError for one that is damaged, cut short, or larger than any camera's.
    """
    # OpenCV 4 fills up a JPEG that was cut short with grey and says nothing.
    if _is_cut_jpeg(data):
        raise SourceError(f"{name} is damaged or no image; {_REMEDY}")
    try:
        return np.asarray(decode_picture(data, cv2.IMREAD_COLOR), np.uint8)
    except PictureError as error:
        raise SourceError(f"{name} {error}; {_REMEDY}") from None


def _is_16_bit_png(path: Path) -> bool:
    with path.open("rb") as file:
        return is_16_bit_png(file.read(25))


def is_16_bit_png(data: bytes) -> bool:
    """Whether a file begins as a PNG with 16 bits a channel (PNG specification, IHDR: the bit depth is byte 24)."""
    return data[:4] == b"\x89PNG" and data[24:25] == b"\x10"


def _is_cut_jpeg(data: bytes) -> bool:
    """Whether a JPEG lacks the end-of-image marker after its picture (ITU-T T.81, annex B)."""
    if not data.startswith(b"\xff\xd8"):
        return False
    last = max((offset for _, offset in jpeg_segments(data)), default=2)
    return b"\xff\xd9" not in data[last:]


def natural_order(name: str) -> list[tuple[int, str]]:
    """Sort key of a name: digits by their value, the rest by letter."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.lower())
    return [(int(part), "") if part[0] in "0123456789" else (-1, part) for part in parts]
