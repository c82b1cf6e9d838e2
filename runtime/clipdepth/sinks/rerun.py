"""A recording for the Rerun viewer: camera, picture and depth in 3-D, over time."""

from contextlib import ExitStack
from pathlib import Path

import cv2
import rerun

from clipdepth.bundle.confidence import to_levels
from clipdepth.errors import OutputError
from clipdepth.files.atomic import atomic_file, make_folder, remove_drafts
from clipdepth.files.claim import claimed
from clipdepth.frame import DepthFrame
from clipdepth.sinks.depth_png import to_millimetres

JPEG_QUALITY = 90
BELOW_DEPTH = -30.0
"""The place of what belongs to depth among a view's images: Rerun has depth at -20 and pictures at -10, above it."""
MILLIMETRES = 1000.0
"""How many of a depth image's units are a metre."""
FLUSH_S = 30.0
"""How long a frame may take to reach the disk; without a limit Rerun waits for ever on a full one."""


class RerunSink:
    """An .rrd file of `camera` (pinhole), `camera/image` (JPEG) and `camera/depth` (uint16 millimetres, 0 unknown).

    Where the model says how sure it is there is `camera/confidence` too, grey from 0 to 255, which stands for 1. Where
    a sensor of the source measured depth there are `camera/measured`, like `camera/depth`, and `camera/error`, float32
    metres: depth less measured depth, NaN where one of both is unknown.

    `camera` says where its focal lengths come from too, see `Origin`, in the component `camera`.

    Its timelines are `capture`, seconds since the source's first frame, and `frame`. It is whole or not there: its end,
    which Ctrl-C brings too, leaves a file; an error leaves none, and an earlier file as it was.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        self._file = ExitStack()
        self._stream: rerun.RecordingStream | None = None

    def write(self, frame: DepthFrame) -> None:
        """See `Sink.write`."""
        try:
            if self._stream is None:
                self._stream = rerun.RecordingStream("clipdepth")
                self._stream.save(self._file.enter_context(atomic_file(self.path)))
                log_axes(self._stream)
            log_frame(self._stream, frame)
            self._stream.flush(timeout_sec=FLUSH_S)
        except RuntimeError as error:
            raise OutputError(f"{self.path} could not be written ({error}); free some space there") from None

    def __enter__(self) -> "RerunSink":
        make_folder(self.path.parent)
        self._file.enter_context(claimed(self.path))
        remove_drafts(self.path)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if self._stream is not None:
            self._stream.disconnect()
        self._file.__exit__(kind, error, None)


def log_axes(stream: rerun.RecordingStream) -> None:
    """Say that y goes down; without it the viewer takes z, which goes ahead, for up, and the scene lies on its back."""
    stream.log("/", rerun.ViewCoordinates.RDF, static=True)


def log_frame(stream: rerun.RecordingStream, frame: DepthFrame) -> None:
    """Log a frame as the entities that `RerunSink` names, at its times."""
    pinhole = frame.intrinsics
    size = pinhole.width, pinhole.height
    # Rerun has the top-left pixel's corner at (0, 0), not its centre.
    centre = pinhole.cx + 0.5, pinhole.cy + 0.5
    jpeg = cv2.imencode(".jpg", frame.image, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))[1].tobytes()
    stream.set_time("capture", duration=frame.time)
    stream.set_time("frame", sequence=frame.index)
    stream.log(
        "camera",
        rerun.Pinhole(focal_length=(pinhole.fx, pinhole.fy), principal_point=centre, resolution=size),
    )
    stream.log("camera", rerun.AnyValues(camera=pinhole.origin))
    stream.log("camera/image", rerun.EncodedImage(contents=jpeg, media_type="image/jpeg"))
    stream.log("camera/depth", rerun.DepthImage(to_millimetres(frame.metres), meter=MILLIMETRES))
    if frame.confidence is not None:
        stream.log("camera/confidence", rerun.Image(to_levels(frame.confidence), "L", draw_order=BELOW_DEPTH))
    if frame.measured is not None:
        measured = to_millimetres(frame.measured)
        stream.log("camera/measured", rerun.DepthImage(measured, meter=MILLIMETRES, draw_order=BELOW_DEPTH))
        stream.log("camera/error", rerun.Image(frame.metres - frame.measured, "L", draw_order=BELOW_DEPTH))
