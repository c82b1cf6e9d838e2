"""`clipdepth completion`: what makes a shell complete the other commands and their options."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from clipdepth.cli import COMMANDS
from clipdepth.cli.arguments import ArgumentParser, parsers_below
from clipdepth.errors import MissingExtraError

SHELLS = ("bash", "zsh", "fish")
FILES, FOLDERS = ("BUNDLE", "FILE", "MODEL", "PATH", "SPEC"), ("DATA", "DIR", "RUN")
"""The metavars of what is a path, or may be one."""


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0. Raises MissingExtraError without shtab."""
    options = parser().parse_args(argv)
    try:
        import shtab
    except ModuleNotFoundError:
        raise MissingExtraError("clipdepth completion", "shtab", "completion") from None
    whole = argparse.ArgumentParser("clipdepth")
    commands = whole.add_subparsers()
    for name, command in COMMANDS.items():
        if " " not in name:
            one = command.parser()
            _mark_paths(one, {**dict.fromkeys(FILES, shtab.FILE), **dict.fromkeys(FOLDERS, shtab.DIRECTORY)})
            commands.add_parser(name, help=command.summary, parents=[one], add_help=False)
    sys.stdout.write(shtab.complete(whole, options.shell) + "\n")
    return 0


def _mark_paths(parser: argparse.ArgumentParser, kinds: dict[str, Any]) -> None:
    for action in parser._actions:
        if action.metavar in kinds:
            action.complete = kinds[action.metavar]  # type: ignore[attr-defined]
    for below in parsers_below(parser).values():
        _mark_paths(below, kinds)


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = ArgumentParser(
        "clipdepth completion",
        "Print a script that completes clipdepth's commands and options in a shell. Bash reads it from "
        "~/.local/share/bash-completion/completions/clipdepth, zsh from a file _clipdepth in a folder of $fpath, fish "
        "from ~/.config/fish/completions/clipdepth.fish.",
        "clipdepth completion bash > ~/.local/share/bash-completion/completions/clipdepth",
    )
    parser.add_argument("shell", choices=SHELLS, help="the shell")
    return parser
