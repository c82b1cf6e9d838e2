"""The options of `clipdepth train RECIPE`: the recipe's fields and a few more, which tyro reads."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import tyro

from clipdepth_train.machine import MachineConfig
from clipdepth_train.recipe import Recipe
from clipdepth_train.recipes import RECIPES


@dataclass(frozen=True)
class _RecipeFields(Recipe):
    """A recipe whose data is no option of its own."""

    data: tyro.conf.Suppress[tuple[str, ...]] = ("rooms",)


@dataclass(frozen=True)
class TrainArguments:
    """Fit a depth model. Every field of the recipe can be set; the same command continues an interrupted run."""

    recipe: Annotated[_RecipeFields, tyro.conf.arg(name="")]
    out: Path
    """Folder for the run: checkpoint, metrics, pictures, logs."""
    data: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """A folder of RGB-D pairs, or 'rooms' for procedural rooms rendered on the fly, which it is where none is given;
    with a teacher also pictures and videos without depth, a folder or a file. Give it several times to mix, NAME:WEIGHT
    for how often an epoch shows each picture (1). Camera and test pairs are those of the first with depth."""
    machine: Annotated[MachineConfig, tyro.conf.arg(name="")] = MachineConfig()  # noqa: RUF009 (frozen)

    def asked_recipe(self) -> Recipe:
        """The recipe with the data that was given; where none was, its own."""
        values = {field.name: getattr(self.recipe, field.name) for field in fields(Recipe)}
        return Recipe(**values | {"data": self.data or self.recipe.data})


def read_arguments(name: str, argv: Sequence[str]) -> TrainArguments:
    """Read the options of a named recipe; exits after printing for --help, and for what is none."""
    usual = RECIPES[name]
    recipe = _RecipeFields(**{field.name: getattr(usual, field.name) for field in fields(Recipe)})
    return tyro.cli(
        TrainArguments,
        prog=f"clipdepth train {name}",
        args=argv,
        default=TrainArguments(recipe, Path("runs") / name),
        config=(tyro.conf.AvoidSubcommands,),
    )
