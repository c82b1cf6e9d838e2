"""The options of `clipdepth confidence`."""

from pathlib import Path

from clipdepth.cli.arguments import ArgumentParser, positive_int

FRAMES = 2000


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = ArgumentParser(
        "clipdepth confidence",
        "Fit, with the network as it is, how sure a model is of each pixel's depth, and calibrate it on the training "
        "frames that it held out. A further training takes it away.",
        "clipdepth confidence runs/edge --data nyu",
    )
    add = parser.add_argument
    add(
        "model",
        metavar="RUN_OR_BUNDLE",
        help="the folder of a trained run of 'edge', a model that ships, or another bundle with weights",
    )
    add("--out", type=Path, metavar="RUN", help="the run's folder to write (default: the run itself)")
    add("--data", metavar="DATA", help="folder of RGB-D pairs, or 'rooms' (default: what it was trained on)")
    add(
        "--like",
        type=Path,
        metavar="RUN",
        help="take the calibration of that run, of the same recipe, which held frames out, for one that did not",
    )
    add("--frames", type=positive_int, default=FRAMES, metavar="N", help=f"at most, of each kind (default: {FRAMES})")
    return parser
