"""`clipdepth data check`: what is wrong with a set, before a night of training tells."""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.cli.arguments import ArgumentParser, positive_float, positive_int
from clipdepth.errors import DataError
from clipdepth.files.atomic import atomic_file, write_json
from clipdepth_train.data.checking.check import check_set
from clipdepth_train.data.checking.pairs import scale_of
from clipdepth_train.data.checking.report import as_json, summary
from clipdepth_train.data.checking.sheet import contact_sheet
from clipdepth_train.recipe import DataConfig

PAIRS = 200
SHEET, REPORT = "pairs.png", "check.json"


def add_check(actions: "argparse._SubParsersAction[ArgumentParser]") -> None:
    """Add the action."""
    about = "Look for what is wrong with a set of RGB-D pairs, and write a picture of it; exits with 1 where there is."
    parser = actions.add_parser("check", help="say what is wrong with a set", description=about)
    parser.add_argument("data", type=Path, metavar="DATA", help="the set's folder")
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"where {SHEET} and {REPORT} go (default: DATA/check)")
    parser.add_argument(
        "--depth-scale",
        type=positive_float,
        metavar="UNITS",
        help="units of the depth PNGs a metre (default: what the folder's depth_scale.txt says, or 1000)",
    )
    parser.add_argument(
        "--max-depth",
        type=positive_float,
        default=DataConfig.max_depth,
        metavar="M",
        help="metres beyond which depth is not trained on (default: %(default)s)",
    )
    parser.add_argument(
        "--pairs",
        type=positive_int,
        default=PAIRS,
        metavar="N",
        help="how many pairs are read whole, spread over the set (default: %(default)s)",
    )
    parser.set_defaults(run=check)


def check(arguments: argparse.Namespace) -> str:
    """Check, write both files, and say what was found; where there is a fault, DataError follows."""
    data: Path = arguments.data
    out: Path = arguments.out or data / "check"
    checked = check_set(data, scale_of(data, arguments.depth_scale), arguments.max_depth, arguments.pairs)
    lines = summary(checked)
    if checked.shown:
        _write_png(out / SHEET, contact_sheet(checked.shown, checked.statistics, [str(data), *lines]))
    write_json(out / REPORT, as_json(checked))
    faults = checked.findings.faults
    lines += [f"note: {note.line()}" for note in checked.findings.notes]
    lines += [f"fault: {fault.line()}" for fault in faults]
    if faults:
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        raise DataError(f"{data} has {len(faults)} kinds of faults; mend them and check again ({out / REPORT})")
    return "\n".join([*lines, f"no fault; see {out / SHEET}"])


def _write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    _, data = cv2.imencode(".png", picture)
    with atomic_file(path) as partial:
        partial.write_bytes(data.tobytes())
