"""`clipdepth data check`: what is wrong with a set, before a night of training tells."""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import DataError
from clipdepth.files.atomic import atomic_file, write_json
from clipdepth_train.commands.data_options import REPORT, SHEET
from clipdepth_train.data.checking.check import check_set
from clipdepth_train.data.checking.pairs import scale_of
from clipdepth_train.data.checking.report import as_json, summary
from clipdepth_train.data.checking.sheet import contact_sheet


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
        kinds = "1 kind" if len(faults) == 1 else f"{len(faults)} kinds"
        raise DataError(f"{data} has {kinds} of faults; mend them and check again ({out / REPORT})")
    return "\n".join([*lines, f"no fault; see {out / SHEET}"])


def _write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    _, data = cv2.imencode(".png", picture)
    with atomic_file(path) as partial:
        partial.write_bytes(data.tobytes())
