"""The help of `clipdepth train`. The options of a recipe are its fields, which tyro tells."""

from argparse import RawDescriptionHelpFormatter

from clipdepth.cli.arguments import ArgumentParser
from clipdepth.errors import MissingExtraError


def parser() -> ArgumentParser:
    """What takes a recipe's name and leaves all else to tyro."""
    recipes = _recipes()
    rows = "\n".join(f"  {name:<22} {about}" for name, about in recipes.items())
    parser = ArgumentParser(
        "clipdepth train",
        "Fit a depth model on RGB-D frames. 'clipdepth train RECIPE --help' lists every option and its default.\n\n"
        f"recipes:\n{rows}",
        "clipdepth train edge --data nyu --out runs/edge",
        formatter_class=RawDescriptionHelpFormatter,
        usage="clipdepth train RECIPE [--data DATA] [--out DIR] [OPTIONS]",
    )
    actions = parser.add_subparsers(metavar="RECIPE", help="one of those above")
    for name in recipes:
        # Its own --help is tyro's.
        actions.add_parser(name, description="", add_help=False)
    return parser


def _recipes() -> dict[str, str]:
    """What each recipe trains; a line of what lists them where PyTorch is missing."""
    try:
        from clipdepth_train.recipe import trunk_of
        from clipdepth_train.recipes import RECIPES
    except ModuleNotFoundError as error:
        return {"…": str(MissingExtraError("the list of recipes", error.name or "PyTorch", "train"))}
    found = {}
    for name, recipe in RECIPES.items():
        trunk, size = trunk_of(recipe.model), f"{recipe.frames.height}×{recipe.frames.width}"
        found[name] = f"{trunk.name if trunk else 'no trunk'}, input {size}, {recipe.epochs} epochs"
    return found
