"""Images of a folder or a pattern, in the order that a person would count them."""

import glob
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import SourceError
from clipdepth.files.depth_file import read_depth
from clipdepth.files.depth_likeness import depth_likeness, file_likeness, is_named_like_depth
from clipdepth.files.focal_length import picture_focal
from clipdepth.files.picture_file import PictureError, decode_picture, jpeg_segments
from clipdepth.sources import Captured

_LOG = logging.getLogger(__name__)

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".avif")
VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts"),
    *(".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".mjpeg", ".mjpg", ".ogv"),
)


class FolderSource:
    """Images as a stream. They carry no time: frame i is at i seconds. Those that cannot be read are left out."""

    live = False
    timed = False
    fps = None
    is_lost = False

    def __init__(self, name: str, files: Sequence[Path], measured: Sequence[Path] = ()) -> None:
        self.name = name
        self.losses = 0
        self._files = tuple(files)
        self._measured = tuple(measured)

    def with_measured(self, where: str) -> "FolderSource":
        """The same with depth that a sensor measured, from `depth_images`, one for each picture in the same order.

        Raises SourceError where they are not as many.
        """
        found = depth_images(where)
        if len(found) != len(self._files):
            raise SourceError(
                f"{where} has {len(found)} images of depth for the {len(self._files)} pictures of {self.name}; "
                "give a 16-bit PNG in millimetres for each, in the same order"
            )
        return FolderSource(self.name, self._files, found)

    @property
    def frame_count(self) -> int:
        """See `Source.frame_count`."""
        return len(self._files)

    def __iter__(self) -> Iterator[Captured]:
        """See `Source.__iter__`; raises SourceError where not one image can be read."""
        for index, file in enumerate(self._files):
            try:
                data = _read(file)
                image = decode_image(data, str(file))
                measured = next(read_depth(self._measured[index])).depth if self._measured else None
            except SourceError as error:
                self.losses += 1
                if self.losses == len(self._files):
                    raise
                _LOG.warning("%s", error, extra={"source": self.name})
            else:
                height, width = image.shape[:2]
                focal = picture_focal(data, width, height)
                yield Captured(image, float(index), index, focal_px=focal, measured=measured)

    def close(self) -> None:
        """See `Source.close`."""

    def __enter__(self) -> "FolderSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_folder(path: Path) -> FolderSource:
    """The colour images of folder `path` in natural order (2 before 10); raises SourceError for none.

    Where there are images named rgb_*, as in the NYU Depth v2 folders, only those are taken. Files of one channel of
    16 bits or more are depth and are left out, whatever their name.
    """
    colour = colour_images(path)
    if not colour:
        raise _no_colour(f"{path} has no colour images", _images(path.iterdir()))
    _question_names(str(path), colour)
    return FolderSource(str(path), colour)


def colour_images(path: Path) -> list[Path]:
    """The files that `open_folder` reads; empty for none."""
    images = _images(path.iterdir())
    colour = [file for file in images if file.name.startswith("rgb_")] or _without_depth(images)
    return sorted(colour, key=lambda file: natural_order(file.name))


def depth_images(where: str) -> list[Path]:
    """The PNGs of 16 bits in a folder, or of a pattern such as 'room/*_depth.png', in natural order."""
    path = Path(where)
    names = path.iterdir() if path.is_dir() else map(Path, glob.glob(where, recursive=True))  # noqa: PTH207
    found = [file for file in names if file.suffix.lower() == ".png" and file_likeness(file)]
    return sorted(found, key=lambda file: [natural_order(part) for part in file.parts])


def open_images(pattern: str) -> FolderSource:
    """The colour images of a pattern such as 'frames/**/*.png', in natural order; raises SourceError for none."""
    images = _images(Path(name) for name in glob.glob(pattern, recursive=True))  # noqa: PTH207, it may be absolute
    colour = _without_depth(images)
    if not colour:
        raise _no_colour(f"no colour image is called '{pattern}'", images)
    _question_names(pattern, colour)
    return FolderSource(pattern, sorted(colour, key=lambda file: [natural_order(part) for part in file.parts]))


def open_image(path: Path) -> FolderSource:
    """One image; raises SourceError for one that looks like depth."""
    if likeness := file_likeness(path):
        raise _looks_like_depth(str(path), likeness)
    if is_named_like_depth(path.name):
        _LOG.warning(
            "%s is named like depth; give the colour picture if it is depth", path, extra={"source": str(path)}
        )
    return FolderSource(str(path), [path])


def _images(files: Iterable[Path]) -> list[Path]:
    return [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()]


def _without_depth(files: Sequence[Path]) -> list[Path]:
    return [file for file in files if not file_likeness(file)]


def _no_colour(problem: str, images: Sequence[Path]) -> SourceError:
    looks = f" (what it has looks like depth: {images[0].name}, …)" if images else ""
    return SourceError(f"{problem}{looks}; it needs {', '.join(IMAGE_SUFFIXES)} files")


def _looks_like_depth(name: str, likeness: str) -> SourceError:
    return SourceError(
        f"{name} is a {likeness}, which looks like depth; give the colour picture that belongs to it, "
        "or make an 8-bit copy if it is a picture"
    )


def _question_names(name: str, files: Sequence[Path]) -> None:
    named = [file.name for file in files if is_named_like_depth(file.name)]
    if named:
        text = "%d of %d pictures of %s are named like depth, such as %s; leave them out if they are depth"
        _LOG.warning(text, len(named), len(files), name, named[0], extra={"source": name})


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image as (H, W, 3) uint8 BGR; raises SourceError for one that is damaged or cut short."""
    return decode_image(_read(path), str(path))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}); check the file") from None


def decode_image(data: bytes, name: str) -> NDArray[np.uint8]:
    """Decode an image file as (H, W, 3) uint8 BGR; colour of 16 bits a channel is brought to 8.

    Raises SourceError for one that is damaged, cut short, larger than any camera's, or looks like depth.
    """
    if likeness := depth_likeness(BytesIO(data)):
        raise _looks_like_depth(name, likeness)
    try:
        # OpenCV 4 fills up a JPEG that was cut short with grey and says nothing.
        if _is_cut_jpeg(data):
            raise PictureError("is damaged or no image")
        return np.asarray(decode_picture(data, cv2.IMREAD_COLOR), np.uint8)
    except PictureError as error:
        raise SourceError(f"{name} {error}; {error.remedy}") from None


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
