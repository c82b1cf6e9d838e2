"""The parsers of the `clipdepth` command, found by calling it: what `--help` shows and what a command line means."""

import argparse
import contextlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn
from unittest.mock import patch

import tyro

from clipdepth.cli import COMMANDS, main

WIDTH = 100
"""Of a help text, in characters."""


class _ParsedError(Exception):
    """A command line was understood; raised in place of what the command would do."""


def commands() -> Iterator[tuple[str, list[argparse.ArgumentParser]]]:
    """Every command in the order of `clipdepth --help`, with its parsers; `train`, which tyro reads, has none."""
    for name in COMMANDS:
        if name == "train":
            yield name, []
            continue
        yield name, [leaf for parser in _shown(*name.split()) for leaf in _leaves(parser)]


def train_help(*words: str) -> str:
    """What `clipdepth train WORDS --help` prints."""
    out = io.StringIO()
    size = patch.dict(os.environ, COLUMNS=str(WIDTH))
    with size, contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main(["train", *words, "--help"])
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def check(words: Sequence[str]) -> str | None:
    """What the real parser says against `clipdepth WORDS`, or None; nothing is run.

    What a command looks at after its arguments were read, such as whether a file is there, is not looked at.
    """
    complaint = io.StringIO()

    def once(parse: Callable[..., object]) -> Callable[..., NoReturn]:
        def parsed(*arguments: object, **named: object) -> NoReturn:
            parse(*arguments, **named)
            raise _ParsedError

        return parsed

    read = patch.object(argparse.ArgumentParser, "parse_args", once(argparse.ArgumentParser.parse_args))
    with read, patch.object(tyro, "cli", once(tyro.cli)), contextlib.redirect_stderr(complaint):
        try:
            status = main(words)
        except _ParsedError:
            return None
        except SystemExit as ended:  # of tyro, and of --help
            status = int(ended.code or 0)
    return None if status == 0 else complaint.getvalue() or f"exit status {status}"


def _shown(*words: str) -> list[argparse.ArgumentParser]:
    """The parsers whose help `clipdepth WORDS --help` prints."""
    seen: list[argparse.ArgumentParser] = []
    shown = patch.object(argparse.ArgumentParser, "print_help", lambda parser, file=None: seen.append(parser))
    with shown, contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main([*words, "--help"])
    return seen


def _leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser, or those of its actions."""
    actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not actions:
        yield parser
    for action in actions:
        for each in action.choices.values():
            yield from _leaves(each)
