"""`clipdepth cameras`: which cameras are here, what --source calls them, and their modes."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from rich.console import Console

from clipdepth.cli.arguments import ArgumentParser
from clipdepth.files.atomic import write_json
from clipdepth.files.foreign import shown
from clipdepth.sources.camera import CameraMode
from clipdepth.sources.found import FoundCamera, find_cameras

NONE = (
    "no camera was found; plug one in, or check that it may be read. A Jetson's camera is csi://0, which no list has, "
    "and a network camera is its rtsp:// address"
)


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0, also where there is no camera."""
    options = _parser().parse_args(argv)
    cameras = list(find_cameras())
    console = Console()
    for line in [line for camera in cameras for line in describe(camera)] or [NONE]:
        console.print(shown(line), highlight=False, markup=False, soft_wrap=True)
    if options.json:
        write_json(options.json, {"cameras": [asdict(camera) for camera in cameras]})
    return 0


def describe(camera: FoundCamera) -> Iterator[str]:
    """A line for the camera, and one for each of its formats and sizes."""
    yield f"{camera.source}  {camera.name}" + (f": {camera.problem}" if camera.problem else "")
    for (fourcc, width, height), modes in groupby(camera.modes, lambda mode: (mode.fourcc, mode.width, mode.height)):
        rates = ", ".join(f"{mode.fps:g}" for mode in modes if mode.fps)
        yield f"  {CameraMode(width, height, None, fourcc)}" + (f" at {rates}/s" if rates else "")


def _parser() -> argparse.ArgumentParser:
    parser = ArgumentParser(
        "clipdepth cameras",
        "List the cameras that are here, as 'clipdepth run --source' takes them, with the sizes, rates and formats "
        "that --width, --height, --fps and --fourcc can ask for.",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found there too")
    return parser
