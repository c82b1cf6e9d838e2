"""The kinds of sources: by what words each is told, what it is called, and what opens it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clipdepth.errors import SourceError, UsageError

if TYPE_CHECKING:
    from clipdepth.sources import Source
    from clipdepth.sources.options import SourceOptions

BAG_SUFFIXES = (".mcap", ".db3", ".bag")
BAG_METADATA = "metadata.yaml"


@dataclass(frozen=True)
class Kind:
    """A kind of source. Its modules are imported when one is named or opened."""

    is_told: Callable[[str], bool]
    """Whether a spec is of this kind, if it is of none before."""
    open: Callable[[str, SourceOptions], Source]
    name: Callable[[str], str] | None = None
    """What messages call one that is not open yet, for kinds that may be away and come back: cameras and streams."""
    takes: tuple[str, ...] = ()
    """Which of the options that are for some kinds alone it takes, by their names in `SourceOptions`."""


def kind_of(spec: str) -> Kind:
    """The kind that a spec is of."""
    return next(kind for kind in KINDS if kind.is_told(spec))


def is_camera(spec: str) -> bool:
    """Whether `spec` is a webcam's number or device file."""
    return re.fullmatch(r"[0-9]{1,9}|/dev/(video[0-9]+|v4l/.+)", spec) is not None


def has_modes(spec: str) -> bool:
    """Whether `spec` is a camera that can be asked for a mode: a webcam, one of a board, or a RealSense."""
    return "mode" in kind_of(spec).takes


def is_sought(spec: str) -> bool:
    """Whether `spec` is a camera or a stream, which may be away and come back."""
    return kind_of(spec).name is not None


def has_measured(spec: str) -> bool:
    """Whether `spec` is a bag or files, beside which measured depth may lie."""
    return "measured" in kind_of(spec).takes


def is_bag(spec: str) -> bool:
    """Whether `spec` is a bag of ROS by its name, or a folder with the metadata of one."""
    path = Path(spec)
    try:
        return path.suffix.lower() in BAG_SUFFIXES if path.is_file() else (path / BAG_METADATA).is_file()
    except OSError:  # a name that is too long, a folder that may not be looked into
        return False


def _is_rooms(spec: str) -> bool:
    return spec.partition(":")[0] == "rooms"


def _open_rooms(spec: str, options: SourceOptions) -> Source:
    from clipdepth.sources.rooms import RoomsSource

    seed = spec.partition(":")[2]
    if spec != "rooms" and not re.fullmatch(r"[0-9]{1,18}", seed):
        raise UsageError(f"'{spec}' is no source; write 'rooms' or 'rooms:SEED' with a whole number from 0")
    return RoomsSource(int(seed or "0"))


def _is_pipeline(spec: str) -> bool:
    return spec.startswith("gst:")


def _open_pipeline(spec: str, options: SourceOptions) -> Source:
    from clipdepth.sources.gstreamer import open_pipeline

    return open_pipeline(spec.removeprefix("gst:").strip(), reconnect=options.reconnect)


def _pipeline_name(spec: str) -> str:
    from clipdepth.sources.gstreamer import pipeline_name

    return pipeline_name(spec)


def _open_webcam(spec: str, options: SourceOptions) -> Source:
    from clipdepth.sources.camera import open_camera

    return open_camera(spec, options.mode, options.reconnect)


def _webcam_name(spec: str) -> str:
    from clipdepth.sources.camera import camera_name

    return camera_name(spec)


def _is_board_camera(spec: str) -> bool:
    return spec.startswith(("csi:", "libcamera:"))


def _open_board_camera(spec: str, options: SourceOptions) -> Source:
    from clipdepth.sources.boards import open_board_camera

    return open_board_camera(spec, options.mode, options.reconnect)


def _is_realsense(spec: str) -> bool:
    return spec.startswith("realsense:")


def _open_realsense(spec: str, options: SourceOptions) -> Source:
    from clipdepth.sources.realsense import open_realsense

    return open_realsense(spec, options.mode, options.reconnect)


def _is_stream(spec: str) -> bool:
    return "://" in spec


def _open_stream(spec: str, options: SourceOptions) -> Source:
    from clipdepth.sources.network import open_stream

    return open_stream(spec, options.reconnect, decoder=options.decoder)


def _stream_name(spec: str) -> str:
    from clipdepth.sources.network import stream_name

    return stream_name(spec)


def _open_bag(spec: str, options: SourceOptions) -> Source:
    from clipdepth.sources.ros.source import BagSource

    with _problems_told(spec):
        return BagSource(Path(spec), options.topic, options.measured)


def _open_files(spec: str, options: SourceOptions) -> Source:
    from clipdepth.sources.folder import IMAGE_SUFFIXES, open_folder, open_image, open_images
    from clipdepth.sources.video import open_video

    path = Path(spec)
    with _problems_told(spec):
        if path.is_file() and path.suffix.lower() not in IMAGE_SUFFIXES:
            if options.measured:
                raise UsageError(f"--measured is for bags of ROS and folders of images, and {spec} is a video")
            return open_video(path, options.decoder)
        if path.exists():
            pictures = open_folder(path) if path.is_dir() else open_image(path)
        elif any(character in spec for character in "*?["):
            pictures = open_images(spec)
        else:
            raise SourceError(f"there is no video or folder at '{spec}'; check the path, or give 'rooms'")
        return pictures.with_measured(options.measured) if options.measured else pictures


@contextmanager
def _problems_told(spec: str) -> Iterator[None]:
    try:
        yield
    except SourceError:
        raise
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise SourceError(f"'{spec}' cannot be opened ({error.strerror}); check the path") from None


def _is_anything(spec: str) -> bool:
    return True


KINDS = (
    Kind(_is_rooms, _open_rooms),
    Kind(_is_pipeline, _open_pipeline, _pipeline_name),
    Kind(is_camera, _open_webcam, _webcam_name, ("mode",)),
    Kind(_is_board_camera, _open_board_camera, str, ("mode",)),
    Kind(_is_realsense, _open_realsense, str, ("mode",)),
    Kind(_is_stream, _open_stream, _stream_name),
    Kind(is_bag, _open_bag, takes=("topic", "measured")),
    Kind(_is_anything, _open_files, takes=("measured",)),
)
"""In the order in which a spec is tried."""
