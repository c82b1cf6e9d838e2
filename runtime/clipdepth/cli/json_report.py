"""`--json`: a report for programs, in a file or on standard output, on which nothing else is written then."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

STDOUT = Path("-")
"""What --json takes for standard output."""


def add_json_argument(parser: argparse.ArgumentParser, what: str, option: str = "--json") -> None:
    """Add --json, or another option like it, which writes `what`."""
    about = f"write {what} there; with - it goes to standard output, and all else to standard error"
    parser.add_argument(option, type=_place, metavar="FILE", help=about)


def console_beside(*places: Path | None, **options: Any) -> "Console":
    """Where a command prints what it found: standard output, or standard error where a report goes to the other."""
    from rich.console import Console

    return Console(stderr=STDOUT in places, **options)


def write_report(place: Path, report: Any) -> None:
    """Write `report`, JSON as text or what is made into it, to a file or standard output. NaN is refused."""
    from json import dumps

    from clipdepth.files.atomic import write_text

    text = report if isinstance(report, str) else dumps(report, indent=2, allow_nan=False) + "\n"
    if place == STDOUT:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        write_text(place, text)


def _place(text: str) -> Path:
    """Read a report's place; a folder is not made for it, since a mistyped one would be made too."""
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent} for {path.name}; make it first")
    return path
