"""The options of `clipdepth confidence`."""

from pathlib import Path

from clipdepth.cli.arguments import ArgumentParser, positive_int

FRAMES = 2000


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = ArgumentParser(
        "clipdepth confidence",
        "Fit, with the network as it is, how sure a run is of each pixel's depth, and calibrate it on the training "
        "frames that the run held out. A further training takes it away.",
        "clipdepth confidence runs/edge --data nyu",
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="the folder of a trained run of 'edge'")
    add("--data", metavar="DATA", help="folder of RGB-D pairs, or 'rooms' (default: what it was trained on)")
    add(
        "--like",
        type=Path,
        metavar="RUN",
        help="take the calibration of that run, of the same recipe, which held frames out, for one that did not",
    )
    add("--frames", type=positive_int, default=FRAMES, metavar="N", help=f"at most, of each kind (default: {FRAMES})")
    return parser
