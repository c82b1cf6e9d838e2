"""`clipdepth cameras`: which cameras are here, what --source calls them, and their modes."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby

from clipdepth.cli.arguments import ArgumentParser
from clipdepth.cli.json_report import add_json_argument, console_beside, write_report
from clipdepth.files.foreign import shown
from clipdepth.sources.found import FoundCamera, find_cameras
from clipdepth.sources.mode import CameraMode
from clipdepth.sources.permission import permission

NONE = (
    "no camera was found; plug one in, or check that it may be read. A Jetson's camera is csi://0, which no list has, "
    "and a network camera is its rtsp:// address"
)


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0, also where there is no camera."""
    options = parser().parse_args(argv)
    cameras = list(find_cameras())
    console = console_beside(options.json)
    for line in [line for camera in cameras for line in describe(camera)] or [NONE + permission()]:
        console.print(shown(line), highlight=False, markup=False, soft_wrap=True)
    if options.json:
        write_report(options.json, {"cameras": [asdict(camera) for camera in cameras]})
    return 0


def describe(camera: FoundCamera) -> Iterator[str]:
    """A line for the camera, and one for each of its formats and sizes."""
    yield f"{camera.source}  {camera.name}" + (f": {camera.problem}" if camera.problem else "")
    for (fourcc, width, height), modes in groupby(camera.modes, lambda mode: (mode.fourcc, mode.width, mode.height)):
        rates = ", ".join(f"{mode.fps:g}" for mode in modes if mode.fps)
        yield f"  {CameraMode(width, height, None, fourcc)}" + (f" at {rates}/s" if rates else "")


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = ArgumentParser(
        "clipdepth cameras",
        "List the cameras that are here, as 'clipdepth run --source' takes them, with the sizes, rates and formats "
        "that --width, --height, --fps and --fourcc can ask for.",
        "clipdepth cameras --json cameras.json",
    )
    add_json_argument(parser, "what was found")
    return parser
