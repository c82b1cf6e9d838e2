"""Pages that are made from the code when the site is built: commands, options, the Python API."""

import argparse
import re
from collections.abc import Iterator

import clipdepth
from clipdepth.cli import COMMANDS
from clipdepth_train.recipes import RECIPES
from command_parsers import commands, train_help

_NETWORKS = {type(recipe.model): name for name, recipe in reversed(RECIPES.items())}
"""The first recipe of each network: those of one network have the same options."""


def generated() -> dict[str, str]:
    """Markdown by the name of its page."""
    return {
        "commands.md": "\n\n".join(_commands_page()) + "\n",
        "train-options.md": "\n\n".join(_train_page()) + "\n",
        "api.md": "\n\n".join(_api_page()) + "\n",
    }


def _commands_page() -> Iterator[str]:
    yield "# Commands"
    yield "Made from the commands' own parsers: this is what `clipdepth COMMAND --help` says of this version."
    rows = "".join(
        f"\n| [`{name}`](#clipdepth-{name.replace(' ', '-')}) | {_cell(command.summary)} |"
        for name, command in COMMANDS.items()
    )
    yield f"| command | |\n| --- | --- |{rows}"
    for name, parsers in commands():
        yield f"## clipdepth {name}"
        yield _extra(COMMANDS[name].extra)
        if not parsers:
            yield "Its options are on [a page of their own](train-options.md)."
        for parser in parsers:
            if parser.prog != f"clipdepth {name}":
                yield f"### {parser.prog.removeprefix('clipdepth ')}"
            yield from _parser(parser)


def _extra(extra: str | None) -> str:
    return f"Needs `pip install 'clipdepth[{extra}]'`." if extra else "Needs no extra by itself."


def _parser(parser: argparse.ArgumentParser) -> Iterator[str]:
    if parser.description:
        yield _text(parser.description)
    formatter = argparse.HelpFormatter(parser.prog, width=88)
    formatter.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups)
    yield f"```text\n{formatter.format_help().strip()}\n```"
    for group in parser._action_groups:
        rows = [_row(action, formatter) for action in group._group_actions if not _is_left_out(action)]
        if not rows:
            continue
        if group.title not in ("positional arguments", "options"):
            yield f"**{group.title}**"
        yield "\n".join([f"| {_heading(group.title)} | |", "| --- | --- |", *rows])
    if parser.epilog:
        yield _text(parser.epilog)


def _is_left_out(action: argparse.Action) -> bool:
    return action.help == argparse.SUPPRESS or "--help" in action.option_strings


def _heading(title: str | None) -> str:
    return "argument" if title == "positional arguments" else "option"


def _row(action: argparse.Action, formatter: argparse.HelpFormatter) -> str:
    value = formatter._format_args(action, formatter._get_default_metavar_for_optional(action))
    if not action.option_strings:
        names = formatter._format_args(action, formatter._get_default_metavar_for_positional(action))
    else:
        names = ", ".join(action.option_strings) + (f" {value}" if value else "")
    told = formatter._expand_help(action) if action.help else ""
    return f"| `{_cell(names)}` | {_cell(_text(told))} |"


def _text(told: str) -> str:
    """Plain text of a help as Markdown: what looks like markup is none."""
    for sign in "\\`*_<>[]#":
        told = told.replace(sign, f"\\{sign}")
    return told


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _train_page() -> Iterator[str]:
    yield "# Options of train"
    yield (
        "What `clipdepth train RECIPE --help` says. Recipes of one network have the same options, with other defaults; "
        "`--help` of each tells its own. Networks differ in the options of `--model.` alone, which stand at the end."
    )
    yield f"```text\n{train_help().strip()}\n```"
    yield "## All options of edge"
    yield f"```text\n{train_help('edge').strip()}\n```"
    for name in _NETWORKS.values():
        of_it = [f"`{other}`" for other, recipe in RECIPES.items() if _NETWORKS[type(recipe.model)] == name]
        yield f"## The network of {name}"
        yield f"Recipes of this network: {', '.join(of_it)}."
        yield "```text\n{}\n```".format("\n\n".join(_network_options(train_help(name))))


def _network_options(told: str) -> list[str]:
    """The sections of tyro's help, of which each has its title over a line, that are the network's."""
    sections = re.split(r"(?=^ \S[^\n]*\n -{20,}$)", told, flags=re.MULTILINE)
    return [section.strip() for section in sections if section.startswith(" model")]


def _api_page() -> Iterator[str]:
    yield "# Python API"
    yield "Every name of `clipdepth`, from its docstrings. [Depth in Python](python.md) is the tutorial."
    for name in clipdepth.__all__:
        if not name.startswith("__"):
            yield f"::: clipdepth.{name}"
