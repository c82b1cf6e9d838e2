"""The options of `clipdepth run`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clipdepth.bundle.kind import METRIC, DepthKind, require_metric
from clipdepth.cli.access_options import AccessOptions, add_access_arguments
from clipdepth.cli.arguments import BUNDLE_HELP, ArgumentParser, depth_span, duration, positive_int
from clipdepth.cli.camera_options import (
    TurnedCameraOptions,
    add_camera_arguments,
    add_mode_arguments,
    add_turn_arguments,
)
from clipdepth.cli.engine_options import add_engine_arguments
from clipdepth.cli.json_report import add_json_argument
from clipdepth.cli.min_confidence import add_min_confidence
from clipdepth.errors import UsageError
from clipdepth.sources import has_measured, has_modes, is_bag, is_sought
from clipdepth.sources.live import Reconnect
from clipdepth.sources.mode import CameraMode
from clipdepth.web import Address, parse_address

RANGE = 0.3, 6.0
"""The ends of the colours, metres, where nobody says others."""
FOXGLOVE = Address(port=8765)
RERUN = "rerun+http://127.0.0.1:9876/proxy"
"""Where Foxglove and Rerun look by default."""


@dataclass(frozen=True)
class RunOptions(TurnedCameraOptions, AccessOptions):
    """The arguments of `clipdepth run`; its help says what each is."""

    bundle: str
    source: list[str]
    width: int | None
    height: int | None
    fps: int | None
    fourcc: str | None
    give_up: float | None
    hwaccel: str | None
    topic: str | None
    measured: str | None
    output: list[Path]
    points: bool
    frames: int | None
    smooth: bool
    min_confidence: float | None
    show: bool
    foxglove: Address | None
    rerun: str | None
    serve: Address | None
    engine: str
    device: int | None
    precision: str | None
    threads: int | None
    range: tuple[float, float] | None
    json: Path | None

    def span(self, kind: DepthKind) -> tuple[float, float]:
        """The ends of the colours of depth of `kind`; raises NotMetricError where metres are given for no metres."""
        if self.range is not None:
            require_metric(kind, "--range", self.bundle)
        if kind != METRIC:
            from clipdepth.sinks.relative import FARTHEST, NEAREST

            return NEAREST, FARTHEST
        return self.range or RANGE

    @property
    def mode(self) -> CameraMode:
        """What webcams are asked for."""
        return CameraMode(self.width, self.height, self.fps, self.fourcc)

    @property
    def reconnect(self) -> Reconnect:
        """How cameras and streams are sought that are away."""
        return Reconnect() if self.give_up is None else Reconnect(give_up_s=self.give_up)


def parse_options(argv: Sequence[str]) -> RunOptions:
    """The command's options. Raises UsageError for those that make no sense together."""
    options = RunOptions(**vars(parser().parse_args(argv)))
    if options.mode != CameraMode() and not any(has_modes(spec) for spec in options.source):
        raise UsageError(
            "--width, --height, --fps and --fourcc are for webcams and cameras of boards, and no --source is one"
        )
    if options.give_up is not None and not any(is_sought(spec) for spec in options.source):
        raise UsageError("--give-up is for cameras and streams, and no --source is one; leave it out")
    if options.topic is not None and not any(is_bag(spec) for spec in options.source):
        raise UsageError("--topic is for bags of ROS, and no --source is one; leave it out")
    if options.measured is not None and not any(has_measured(spec) for spec in options.source):
        raise UsageError("--measured is for bags of ROS and folders of images, and no --source is one; leave it out")
    if (options.token is not None or options.metrics or options.behind_proxy) and not options.serve:
        raise UsageError("--token, --allowed-host, --allowed-origin and --metrics are for --serve; give it too")
    if options.points and not (options.foxglove or any(path.suffix.lower() == ".mcap" for path in options.output)):
        raise UsageError("--points is for --output x.mcap and --foxglove; give one of them, or x.ply for points alone")
    return options


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = ArgumentParser(
        "clipdepth run",
        "Stream frames through a bundle and keep the depth, in metres.",
        "clipdepth run edge-nyu --source 0 --show",
    )
    add = parser.add_argument
    add("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    add(
        "--source",
        required=True,
        action="append",
        metavar="SPEC",
        help="a webcam (0, 1, … or /dev/video0; 'clipdepth cameras' lists them), a Jetson's or a Pi's camera (csi://0, "
        "libcamera://), a RealSense (realsense://), a pipeline of GStreamer ('gst: v4l2src ! appsink'), "
        "a stream (rtsp://…, rtmp://…, http://…), a video, "
        "a bag of ROS (x.mcap, or its folder), "
        "a folder of images, an image, a pattern such as 'frames/*.png', or 'rooms[:SEED]': drawn rooms, "
        "without end (may be given more than once: all share the engine)",
    )
    add_mode_arguments(parser)
    add(
        "--give-up",
        type=duration,
        metavar="TIME",
        help="how long a camera or stream is sought that was lost or is not there yet: such as 60s, 5min, 2h, or never "
        f"(default: {Reconnect().give_up_s:g}s; the other sources go on)",
    )
    add("--topic", metavar="NAME", help="the topic of pictures in a bag of ROS with several")
    add(
        "--measured",
        metavar="WHERE",
        help="compare with depth that a sensor measured, aligned with the pictures: the topic of a bag of ROS, or a "
        "folder or pattern of 16-bit PNGs in millimetres, one for each picture "
        "(a RealSense's own depth is always compared)",
    )
    add(
        "--hwaccel",
        metavar="KIND[:DEVICE]",
        help="decode videos and network streams by hardware, where it knows their codec: such as cuda, cuda:1, "
        "videotoolbox, vaapi:/dev/dri/renderD128, or auto: by what is here (default: in software)",
    )
    add(
        "--output",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="x.mp4 (or .mov, .mkv, .webm): frame and depth side by side; x.jpg: likewise, a picture a frame; "
        "a folder: depth as 16-bit PNG files in millimetres, with confidence below it where the model states it; "
        "x.npz: arrays with all digits, a file a frame; x.ply: coloured point clouds, a file a frame; "
        "x.rrd: a recording for the Rerun viewer; x.mcap: a recording of ROS 2's messages "
        "(may be given more than once; several sources get their numbers in the name)",
    )
    add("--points", action="store_true", help="in an x.mcap, and to Foxglove, point clouds too")
    add("--frames", type=positive_int, metavar="N", help="stop after N frames a source (to the end, or to Ctrl-C)")
    add_camera_arguments(parser)
    add_turn_arguments(parser)
    add("--show", action="store_true", help="show live depth in a window; q, Esc or closing it ends the run")
    add(
        "--foxglove",
        nargs="?",
        const=FOXGLOVE,
        type=parse_address,
        metavar="HOST:PORT",
        help=f"show live depth in Foxglove, which connects there (default: {FOXGLOVE}); it knows no token: whoever "
        "reaches the address can watch",
    )
    add(
        "--rerun",
        nargs="?",
        const=RERUN,
        metavar="URL",
        help=f"show live depth in a Rerun viewer that is open (default: {RERUN})",
    )
    add(
        "--serve",
        nargs="?",
        const=Address(),
        type=parse_address,
        metavar="HOST:PORT",
        help="show live depth on a web page (default: 127.0.0.1:8000)",
    )
    add_access_arguments(parser, "viewers", "with --serve: ")
    add("--smooth", action="store_true", help="steady depth over time, without lag where something moves")
    add_min_confidence(parser)
    add_engine_arguments(parser)
    add(
        "--range",
        type=depth_span,
        metavar="NEAR,FAR",
        help="colours go from NEAR (red) to FAR (blue), metres (default: 0.3,6; of depth that is not metric, from each "
        "frame's nearest to its farthest)",
    )
    add_json_argument(parser, "the report")
    return parser
