"""Command-line arguments whose mistakes are one line."""

import argparse
import math
import re
from difflib import get_close_matches
from typing import Any, NoReturn

from clipdepth.errors import UsageError


class ArgumentParser(argparse.ArgumentParser):
    """argparse's parser, except that a mistake raises UsageError and names must be written out.

    `example` is a command that works, for the end of the help.
    """

    def __init__(self, prog: str, description: str, example: str = "", **options: Any) -> None:
        # An example is to be copied: it stays on its line.
        epilog = f"example: {example}" if example else None
        super().__init__(prog=prog, description=description, epilog=epilog, allow_abbrev=False, **options)
        self._given: list[str] = []

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See argparse."""
        self._given = list(args or ())
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """See argparse; the command line prints the error and exits with 2."""
        raise UsageError(f"{message}{self._meant()}; see '{self.prog} --help'")

    def _meant(self) -> str:
        """The option that is nearest to the first one which is none; empty where there is no such."""
        known = option_names(self)
        for word in (given.partition("=")[0] for given in self._given):
            if word.startswith("--") and word not in known and (near := get_close_matches(word, known, 1)):
                return f" ({word}: did you mean {near[0]}?)"
        return ""


def option_names(parser: argparse.ArgumentParser) -> set[str]:
    """All options of a parser and of the parsers below it."""
    names = set(parser._option_string_actions)
    for below in parsers_below(parser).values():
        names |= option_names(below)
    return names


def parsers_below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of a parser's own subcommands, by their names."""
    return {
        name: below
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, below in action.choices.items()
    }


BUNDLE_HELP = (
    "a model that ships ('clipdepth models' lists them), hf:OWNER/NAME[@REVISION] on the hub, "
    "or the folder that 'clipdepth export' made"
)
"""The help of an argument for `open_bundle`, which is to be text, since `./NAME` and NAME differ."""


_DIGITS = 4
"""Of a GPU's number, at most."""


def positive_int(text: str) -> int:
    """Read a whole number above 0; for `add_argument(type=…)`."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above 0")
    return int(text)


DEVICE_HELP = "which GPU, from 0 on, for engines on GPUs (default: the first)"
"""The help of an argument for `load_engine`'s device."""


def device_index(text: str) -> int:
    """Read a whole number from 0 on; for `add_argument(type=…)`."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise argparse.ArgumentTypeError(f"'{text}' is not a GPU's number: 0, 1, …")
    return int(text)


_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def duration(text: str) -> float:
    """Read a time such as '60s', '5min', '1.5h', '2d' or 'never' as seconds, infinite for never; for `add_argument`."""
    if text == "never":
        return math.inf
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)(s|m|min|h|d)", text, re.ASCII)
    if not found:
        raise argparse.ArgumentTypeError(f"'{text}' is no time; give a number with s, min, h or d, as 60s, or never")
    return float(found[1]) * _SECONDS[found[2]]


def depth_span(text: str) -> tuple[float, float]:
    """Read 'NEAR,FAR' in metres; for `add_argument(type=…)`."""
    try:
        near, far = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not NEAR,FAR in metres, such as 0.3,6") from None
    if not 0 <= near < far < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}': NEAR must be 0 or more, and FAR above it")
    return near, far


def picture_size(text: str) -> tuple[int, int]:
    """Read 'HxW', height and width in pixels; for `add_argument(type=…)`."""
    found = re.fullmatch(r"([1-9]\d{0,3})x([1-9]\d{0,3})", text, re.ASCII)
    if not found:
        raise argparse.ArgumentTypeError(f"'{text}' is not HxW, height and width in pixels, such as 480x640")
    return int(found[1]), int(found[2])


SIZE_HELP = "which of the bundle's sizes (default: the first)"
"""The help of an argument for `Bundle.of_size`, of type `picture_size`."""


def positive_float(text: str) -> float:
    """Read a number above 0; for `add_argument(type=…)`."""
    value = float_or_nan(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0")
    return value


def float_from_0(text: str) -> float:
    """Read a number from 0 on; for `add_argument(type=…)`."""
    value = float_or_nan(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 on")
    return value


def share(text: str) -> float:
    """Read a number from 0 to 1; for `add_argument(type=…)`."""
    value = float_or_nan(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to 1")
    return value


def float_or_nan(text: str) -> float:
    """Read a number; NaN for what is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
