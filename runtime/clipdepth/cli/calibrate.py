"""`clipdepth calibrate`: fit metres to points whose distance is known, or a camera to views of a checkerboard."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from clipdepth.bundle.box import find_folder
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.kind import METRIC
from clipdepth.camera.calibration import SUFFIX, CalibratedPoint, make_calibration, write_calibration
from clipdepth.camera.calibration_fit import (
    MeasuredPoint,
    fit_conversion,
    fitted_depth,
    measured_point,
    place_point,
    with_residuals,
)
from clipdepth.camera.conversion import Conversion
from clipdepth.camera.corrections import Corrections
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.cli import calibrate_lens
from clipdepth.cli.arguments import BUNDLE_HELP, ArgumentParser, positive_int
from clipdepth.cli.calibration_picture import calibration_picture
from clipdepth.cli.camera_options import TurnedCameraOptions, add_camera_arguments, add_turn_arguments
from clipdepth.cli.choice_report import print_choice
from clipdepth.cli.engine_options import add_engine_arguments
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.engines import usable_cores
from clipdepth.errors import SourceError, UsageError
from clipdepth.model import DepthModel, load
from clipdepth.pipeline.focal import FocalLength
from clipdepth.sinks.picture_grid import save_picture
from clipdepth.sources import Captured, open_source

_LOG = logging.getLogger(__name__)
DISAGREEMENT = 0.2


@dataclass(frozen=True)
class CalibrateOptions(TurnedCameraOptions):
    """The arguments of `clipdepth calibrate`; its help says what each is."""

    bundle: str
    source: str
    frames: int
    point: list[MeasuredPoint]
    along: str
    out: Path
    picture: Path | None
    engine: str
    device: int | None
    precision: str | None
    threads: int | None

    def __post_init__(self) -> None:
        if self.out.suffix.lower() != SUFFIX:
            raise UsageError(f"cannot write {self.out}: give a name that ends in {SUFFIX}")
        if self.picture and self.picture.suffix.lower() != ".png":
            raise UsageError(f"cannot draw {self.picture}: give a name that ends in .png")


def main(argv: Sequence[str]) -> int:
    """Run the command, in the way that --checkerboard or its absence names; return 0."""
    words = {word.partition("=")[0] for word in argv}
    if "--checkerboard" in words:
        if "--point" in words:
            raise UsageError("--checkerboard measures a camera and --point a model's depth; give one of them")
        return calibrate_lens.main(argv)
    options = CalibrateOptions(**vars(parser().parse_args(argv)))
    refuse_overwriting(
        [find_folder(options.bundle), options.source, options.calibration], [options.out, options.picture]
    )
    bundle = open_bundle(options.bundle)
    known = options.camera
    corrections = Corrections(bundle.manifest, known, fitted=False)
    frames = _read_frames(options.source, options.frames)
    first, focal_px = frames[0].frame, frames[0].focal_px
    height, width = first.shape[:2]
    camera, correction = corrections.camera(height, width, focal_px), corrections.at(height, width, focal_px)
    with _load(bundle, options) as loaded:
        model = DepthModel(bundle, loaded.engine, loaded.precision, corrections)
        depth = np.asarray(np.median([model.depth_of(frame).depth for frame in frames], axis=0), np.float32)
    placed = [place_point(point, depth, correction, options.along == "ray") for point in options.point]
    conversion = fit_conversion([point.calibrated for point in placed], bundle.manifest.kind)
    points = with_residuals([point.calibrated for point in placed], conversion)
    if options.picture:
        save_picture(options.picture, calibration_picture(correction.undistort(first), depth, placed, conversion))
    write_calibration(options.out, make_calibration(camera, bundle.manifest, conversion, points))
    _print(points, conversion, options.out, Console())
    _print_camera(correction.intrinsics, Console())
    return 0


def _load(bundle: Bundle, options: CalibrateOptions) -> DepthModel:
    """Load what 'clipdepth run' would, whose depth is what the points are for, and say what was chosen."""
    console, threads = Console(stderr=True), options.threads or usable_cores()
    with console.status("loading"):
        model = load(bundle, engine=options.engine, precision=options.precision, threads=threads, device=options.device)
    if model.choice:
        print_choice(model.choice, console)
    return model


def _read_frames(spec: str, count: int) -> list[Captured]:
    with open_source(spec) as source:
        frames = list(islice(source, count))
    if not frames:
        raise SourceError(f"{spec} gives no frame; choose another source")
    if len({(captured.frame.shape, captured.focal_px) for captured in frames}) > 1:
        found = "sizes or focal lengths"
        raise SourceError(f"{spec} gives frames of several {found}; calibrate with one camera that stands still")
    return frames


def _print(points: Sequence[CalibratedPoint], conversion: Conversion, out: Path, console: Console) -> None:
    is_metric = conversion.answered == METRIC
    table = Table("point", box=None, pad_edge=False, header_style="bold")
    for heading in ("measured", "before" if is_metric else "answer", "after", "residual"):
        table.add_column(heading, justify="right")
    for point in points:
        after = fitted_depth(point, conversion)
        before = f"{point.predicted:.3f} m" if is_metric else f"{point.predicted:.4g}"
        residual = f"{after - point.depth:+.3f} m ({point.residual or 0:+.1%})"
        table.add_row(f"{point.x:g},{point.y:g}", f"{point.depth:.3f} m", before, f"{after:.3f} m", residual)
    console.print(table)
    console.print(f"{_fit(conversion)}; written to {out}", markup=False, highlight=False, soft_wrap=True)
    worst = max(abs(point.residual or 0) for point in points)
    if worst > DISAGREEMENT:
        fit = "scale" if is_metric else "scale and shift"
        _LOG.warning("the points disagree with one %s by up to %.0f%%; check their pixels and metres", fit, 100 * worst)


def _print_camera(pinhole: Intrinsics, console: Console) -> None:
    """Say what the file has of the camera: points measure depth, and no focal length."""
    line = f"camera {FocalLength.of(pinhole)}"
    if pinhole.assumed:
        line += (
            "; depth is fitted all the same, but a point cloud is as wrong across as that is: give --fov, --focal-px"
        )
        line += " or --calibration"
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _fit(conversion: Conversion) -> str:
    if conversion.span is None:
        return f"depth along the optical axis is scaled by {conversion.scale:.4f}"
    found = "1 / depth" if conversion.answered == "disparity" else "depth"
    line = f"{found} along the optical axis is {conversion.scale:.4g} × answer {conversion.shift:+.4g}"
    return f"{line}, kept within {conversion.span.minimum:.3g} and {conversion.span.maximum:.3g} m"


class _BothWays(ArgumentParser):
    """A parser of one way to calibrate, whose help tells of the other too."""

    def format_help(self) -> str:
        """See argparse."""
        return f"{super().format_help()}\n{calibrate_lens.lens_parser().format_help()}"


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = _BothWays(
        "clipdepth calibrate",
        "Fit the scale of a bundle's depth on your camera to points whose distance you measured, or scale and shift "
        "of a model whose answer is relative; 'clipdepth run --calibration FILE' uses it.",
        "clipdepth calibrate edge-nyu --source 0 --point 320,240=2.15 --out camera.json",
    )
    add = parser.add_argument
    add("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    add("--source", required=True, metavar="SPEC", help="a picture or video of the scene, as for 'clipdepth run'")
    add(
        "--point",
        required=True,
        type=measured_point,
        action="append",
        metavar="X,Y=METRES",
        help="a pixel of the source's picture, before --rotate and --mirror, and its distance (may be given more than "
        "once; the median counts, and "
        "a relative model needs two or more, whose least squares count)",
    )
    add(
        "--along",
        choices=("ray", "axis"),
        default="ray",
        help="METRES are from the camera to the point, as a tape or laser measures them (ray), or only as deep as the "
        "point is before the camera (axis) (default: %(default)s)",
    )
    add("--out", required=True, type=Path, metavar="FILE", help="the calibration to write, x.json")
    add("--picture", type=Path, metavar="FILE", help="draw the points and the depth before and after, x.png")
    add("--frames", type=positive_int, default=1, metavar="N", help="take the median of N frames (default: 1)")
    add_engine_arguments(parser)
    add_camera_arguments(parser)
    add_turn_arguments(parser)
    return parser
