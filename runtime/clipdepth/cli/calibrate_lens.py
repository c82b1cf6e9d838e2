"""`clipdepth calibrate --checkerboard`: measure a camera's focal length and lens with a printed board."""

import argparse
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from clipdepth.camera.board_views import ENOUGH_COVERAGE, BoardViews
from clipdepth.camera.checkerboard import Checkerboard, checkerboard
from clipdepth.camera.lens_file import SUFFIXES, write_lens
from clipdepth.camera.lens_fit import LensFit, fit_lens
from clipdepth.camera.lens_solution import LensModel
from clipdepth.cli.arguments import ArgumentParser
from clipdepth.cli.camera_options import add_mode_arguments
from clipdepth.cli.lens_picture import lens_picture, progress_line
from clipdepth.cli.lens_window import LensWindow
from clipdepth.cli.newest import newest_frames
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.errors import SourceError, UsageError
from clipdepth.sources import Source, SourceOptions, has_modes, open_source
from clipdepth.sources.mode import CameraMode

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class LensOptions:
    """The arguments of `clipdepth calibrate --checkerboard`; its help says what each is."""

    checkerboard: Checkerboard
    source: str
    out: Path
    fisheye: bool
    show: bool | None
    width: int | None
    height: int | None
    fps: int | None
    fourcc: str | None

    def __post_init__(self) -> None:
        if self.out.suffix.lower() not in SUFFIXES:
            raise UsageError(f"cannot write {self.out}: give a name that ends in {', '.join(SUFFIXES)}")
        if self.mode != CameraMode() and not has_modes(self.source):
            raise UsageError(
                "--width, --height, --fps and --fourcc are for webcams and cameras of boards, and --source is none"
            )

    @property
    def mode(self) -> CameraMode:
        """What a webcam is asked for."""
        return CameraMode(self.width, self.height, self.fps, self.fourcc)


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0."""
    options = LensOptions(**vars(lens_parser().parse_args(argv)))
    refuse_overwriting([options.source], [options.out])
    with open_source(options.source, SourceOptions(options.mode)) as source:
        views = _collect(source, options)
    with Console(stderr=True).status(f"fitting a lens to {len(views.kept)} views"):
        model: LensModel = "fisheye" if options.fisheye else "plumb_bob"
        fit = fit_lens(options.checkerboard, views.kept, views.size, model)
    write_lens(options.out, fit, options.checkerboard)
    if views.coverage < ENOUGH_COVERAGE:
        _LOG.warning("the board was in %.0f%% of the picture only; elsewhere the lens is a guess", 100 * views.coverage)
    _print(fit, views, options.out)
    return 0


def _collect(source: Source, options: LensOptions) -> BoardViews:
    """Look at pictures until the views are enough, the user has had enough, or there are no more."""
    views: BoardViews | None = None
    board, shown = options.checkerboard, source.live if options.show is None else options.show
    # Pictures of a folder carry no time: each of them was meant.
    moving = source.timed
    with ExitStack() as stack:
        window = stack.enter_context(LensWindow(f"{source.name} - clipdepth (q ends)")) if shown else None
        status = stack.enter_context(Console(stderr=True).status("looking for the board"))
        for frame in _frames(source, stack):
            height, width = frame.shape[:2]
            views = views or BoardViews(width, height, moving=moving)
            _check_size(source, views, width, height)
            corners = board.find(frame)
            verdict = views.offer(corners)
            status.update(progress_line(views, verdict))
            if window and window.show(lens_picture(frame, board, corners, views, verdict)):
                break
            if moving and views.is_enough:
                break
    if views is None:
        raise SourceError(f"{source.name} gives no frame; choose another source")
    return views


def _check_size(source: Source, views: BoardViews, width: int, height: int) -> None:
    if views.size != (width, height):
        raise SourceError(
            f"{source.name} gives pictures of {views.size[0]}×{views.size[1]} and of {width}×{height}; "
            "calibrate with pictures of one size, all upright or all lying"
        )


def _frames(source: Source, stack: ExitStack) -> Iterator[NDArray[np.uint8]]:
    """Its pictures, and of a live source the newest ones until the end of `stack`."""
    frames = stack.enter_context(closing(newest_frames(source))) if source.live else source
    return (captured.frame for captured in frames)


def _print(fit: LensFit, views: BoardViews, out: Path) -> None:
    pinhole = fit.intrinsics
    left_out = f", {fit.left_out} left out" if fit.left_out else ""
    lines = (
        f"{fit.views} views{left_out}, {views.coverage:.0%} of the picture",
        f"focal length {pinhole.fx:.2f}, {pinhole.fy:.2f} pixels (±{fit.deviation:.2%}), centre {pinhole.cx:.2f}, "
        f"{pinhole.cy:.2f}, of {pinhole.width}×{pinhole.height} pictures",
        f"lens ({fit.model}) {', '.join(f'{value:.5f}' for value in fit.distortion)}",
        f"reprojection error {fit.error:.3f} pixels; written to {out}",
    )
    for line in lines:
        Console().print(line, markup=False, highlight=False, soft_wrap=True)


def lens_parser() -> ArgumentParser:
    """The parser of this way to calibrate."""
    parser = ArgumentParser(
        "clipdepth calibrate",
        "Measure a camera's focal length and lens with a checkerboard that is held before it; no bundle is needed. "
        "'clipdepth run --calibration FILE' uses it. A camera or a video ends the calibration by itself; q, Esc or "
        "Enter ends it before that, with the views that were kept.",
        "clipdepth calibrate --checkerboard 9x6 --source 0 --out camera.yml",
    )
    add = parser.add_argument
    add(
        "--checkerboard",
        required=True,
        type=checkerboard,
        metavar="COLSxROWS[@SQUARE]",
        help="the board's inner corners, where four squares meet: 9x6 for 10 by 7 squares; SQUARE is a side in metres, "
        "which is only noted",
    )
    add(
        "--source",
        required=True,
        metavar="SPEC",
        help="a webcam, a video, a folder of pictures, as for 'clipdepth run'",
    )
    add("--out", required=True, type=Path, metavar="FILE", help="the calibration to write, x.yml, x.yaml or x.xml")
    add("--fisheye", action="store_true", help="fit OpenCV's fisheye lens, for more than about 120 degrees")
    add(
        "--show",
        action=argparse.BooleanOptionalAction,
        help="a window with the board's corners and the parts of the picture that are covered "
        "(default: for cameras and streams)",
    )
    add_mode_arguments(parser)
    return parser
