"""Sinks: where depth goes. Files to look at, to measure with or to compute with, or a window."""

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from clipdepth.bundle.kind import METRIC, DepthKind, require_metric
from clipdepth.camera.camera import UNKNOWN_REMEDY
from clipdepth.errors import UnknownCameraError, UsageError, needs_extra
from clipdepth.frame import DepthFrame
from clipdepth.sinks.numbered import NumberedSink

if TYPE_CHECKING:
    from clipdepth.sinks.rerun_live import RerunViewer
    from clipdepth.sinks.ros.foxglove import Foxglove

__all__ = ["Sink", "open_foxglove", "open_rerun_viewer", "open_sink"]

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
PICTURE_SUFFIXES = (".jpg", ".jpeg")


class Sink(Protocol):
    """Something that keeps depth; a context manager, since only its end makes a video whole."""

    name: str
    """What it writes, for counters and reports: a file, such as 'x_*.ply' many, or a screen."""

    def write(self, frame: DepthFrame) -> None:
        """Keep a frame and its depth; raises OSError where that is impossible."""

    def __enter__(self) -> "Sink":
        """Return itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish what was written; see each sink for what an error or Ctrl-C leaves behind."""


def open_sink(
    path: Path,
    near: float,
    far: float,
    *,
    timed: bool = True,
    kind: DepthKind = METRIC,
    has_camera: bool = True,
    confident: bool = False,
    points: bool = False,
) -> Sink:
    """A video for x.mp4, .m4v, .mov, .mkv or .webm, or what else the suffix says.

    That is pictures of frame and depth side by side for x.jpg or .jpeg, arrays for x.npz, point clouds for x.ply, a
    recording for x.rrd or x.mcap; else 16-bit PNG files, which go into a folder: one that exists, or a name without
    suffix. `points` puts point clouds into an x.mcap too. `near` and `far`, metres, are the ends of the colours of
    videos and pictures. A video shows each frame at its time; images that are not `timed` ten a second. Confidence
    stands in x.npz, x.ply, x.rrd and x.mcap where frames have it; PNGs of it go into the folder `confidence` below
    those of depth, for a model that is `confident`. Raises UsageError for any other suffix, NotMetricError where depth
    of `kind` is not what the form says, UnknownCameraError where it says where points lie and no camera is known,
    MissingExtraError where x.rrd or x.mcap needs one.
    """
    _check_metres(path, kind, has_camera, points)
    if path.is_dir() or not path.suffix:
        from clipdepth.sinks.depth_png import write_confidence_png, write_png

        # In a folder of its own, so that all PNGs beside depth are depth.
        sure = NumberedSink(path / "confidence" / "confidence.png", write_confidence_png) if confident else None
        return NumberedSink(path / "depth.png", write_png, sure)
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        from clipdepth.sinks.video import VideoSink

        return VideoSink(path, near, far, timed=timed)
    if suffix in PICTURE_SUFFIXES:
        from clipdepth.sinks.jpeg import jpeg_writer

        return NumberedSink(path, jpeg_writer(near, far))
    if suffix == ".npz":
        from clipdepth.sinks.arrays import write_npz

        return NumberedSink(path, write_npz)
    if suffix == ".ply":
        from clipdepth.sinks.point_cloud import write_ply

        return NumberedSink(path, write_ply)
    if suffix == ".rrd":
        return _open_rerun(path)
    if suffix == ".mcap":
        return _open_mcap(path, points)
    known = ", ".join((*VIDEO_SUFFIXES, *PICTURE_SUFFIXES, ".npz", ".ply", ".mcap"))
    raise UsageError(f"cannot write {path}: give a name in {known} or .rrd, or a folder for 16-bit PNGs")


def open_foxglove(
    host: str, port: int, *, kind: DepthKind, has_camera: bool, points: bool = False, cameras: int = 1
) -> "Foxglove":
    """A server for Foxglove. Raises as `open_sink`."""
    require_metric(kind, "--foxglove", "the model")
    if points:
        _require_camera("--points", has_camera)
    with needs_extra("--foxglove", "robots", "foxglove-sdk and rosbags"):
        from clipdepth.sinks.ros.foxglove import Foxglove
    return Foxglove(host, port, points=points, cameras=cameras)


def open_rerun_viewer(url: str, *, kind: DepthKind, has_camera: bool) -> "RerunViewer":
    """What sends depth to the Rerun viewer at a `url` such as rerun+http://127.0.0.1:9876/proxy.

    Raises as `open_sink`.
    """
    require_metric(kind, "--rerun", "the model")
    _require_camera("--rerun", has_camera)
    with needs_extra("--rerun", "rerun", "rerun-sdk"):
        from clipdepth.sinks.rerun_live import RerunViewer
    return RerunViewer(url)


def _check_metres(path: Path, kind: DepthKind, has_camera: bool, points: bool) -> None:
    suffix = "" if path.is_dir() else path.suffix.lower()
    if suffix in ("", ".npz", ".ply", ".rrd", ".mcap"):
        require_metric(kind, str(path), "the model")
    if suffix in (".ply", ".rrd") or (suffix == ".mcap" and points):
        _require_camera(str(path), has_camera)


def _require_camera(what: str, has_camera: bool) -> None:
    if not has_camera:
        raise UnknownCameraError(f"{what} needs the camera's focal length, which nobody told; {UNKNOWN_REMEDY}")


def _open_rerun(path: Path) -> Sink:
    with needs_extra("an .rrd recording", "rerun", "rerun-sdk"):
        from clipdepth.sinks.rerun import RerunSink
    return RerunSink(path)


def _open_mcap(path: Path, points: bool) -> Sink:
    with needs_extra("an .mcap recording", "robots", "mcap and rosbags"):
        from clipdepth.sinks.ros.mcap import McapSink
    return McapSink(path, points)
