"""The help of `clipdepth train`. The options of a recipe are its fields, which tyro tells."""

from argparse import RawDescriptionHelpFormatter
from typing import Any

from clipdepth.cli.arguments import ArgumentParser
from clipdepth.errors import MissingExtraError
from clipdepth_train.recipe import Recipe, trunk_of
from clipdepth_train.recipes import RECIPES


def parser() -> ArgumentParser:
    """What takes a recipe's name and leaves all else to tyro."""
    rows = "\n".join(f"  {name:<22} {_about(recipe)}" for name, recipe in RECIPES.items())
    parser = ArgumentParser(
        "clipdepth train",
        "Fit a depth model on RGB-D frames. 'clipdepth train RECIPE --help' lists every option and its default.\n\n"
        f"recipes:\n{rows}",
        "clipdepth train edge --data nyu --out runs/edge",
        formatter_class=RawDescriptionHelpFormatter,
        usage="clipdepth train RECIPE [--data DATA] [--out DIR] [OPTIONS]",
    )
    actions = parser.add_subparsers(
        metavar="RECIPE", help="one of those above", prog="clipdepth train", parser_class=_RecipeParser
    )
    for name in RECIPES:
        actions.add_parser(name, description="")
    return parser


class _RecipeParser(ArgumentParser):
    """The parser of one recipe, whose help is tyro's."""

    def print_help(self, file: Any = None) -> None:
        """See argparse; raises MissingExtraError where tyro is not there."""
        try:
            from clipdepth_train.commands.train_arguments import read_arguments
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"'{self.prog} --help'", error.name or "tyro", "train") from None
        read_arguments(self.prog.split()[-1], ["--help"])


def _about(recipe: Recipe) -> str:
    trunk, size = trunk_of(recipe.model), f"{recipe.frames.height}×{recipe.frames.width}"
    return f"{trunk.name if trunk else 'no trunk'}, input {size}, {recipe.epochs} epochs"
