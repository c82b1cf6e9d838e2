"""`clipdepth train RECIPE`: fit a model, or continue where a run was interrupted."""

from collections.abc import Sequence
from dataclasses import replace

from accelerate import PartialState
from rich.console import Console

from clipdepth.bundle.box import find_folder
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.errors import unknown_name
from clipdepth_train.commands.metrics_table import metrics_table
from clipdepth_train.commands.train_arguments import read_arguments
from clipdepth_train.commands.train_options import parser
from clipdepth_train.named_data import named_data
from clipdepth_train.recipe import Recipe
from clipdepth_train.recipes import RECIPES
from clipdepth_train.start import like_start, pin_start
from clipdepth_train.teacher.named import pinned_teacher
from clipdepth_train.trainer import Trainer


def main(argv: Sequence[str]) -> int:
    """Run the command; see `clipdepth train --help`."""
    console = Console(stderr=True)
    if not argv or argv[0] in ("-h", "--help"):
        parser().print_help()
        return 0 if argv else 2
    name, *rest = argv
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    arguments = read_arguments(name, rest)
    asked = arguments.asked_recipe()
    recipe = replace(_own_sizes(asked, name, console), teacher=pinned_teacher(asked.teacher))
    starts = [find_folder(named) for named in (recipe.start, recipe.teacher) if named]
    folders = [named_data(text).name for text in recipe.data]
    refuse_overwriting([*folders, *starts], [arguments.out])
    trainer = Trainer(like_start(pin_start(recipe), RECIPES[name]), arguments.out, console, arguments.machine)
    report = trainer.run()
    if trainer.accelerator.is_main_process:
        Console().print(metrics_table({arguments.out.name: report["metrics"]}))
    PartialState().destroy_process_group()
    return 0


def _own_sizes(recipe: Recipe, name: str, console: Console) -> Recipe:
    """Without the further sizes that the named recipe has, where the first was changed and they were not."""
    asked, usual = recipe.frames, RECIPES[name].frames
    changed = (asked.height, asked.width) != (usual.height, usual.width)
    if not changed or not usual.other_sizes or asked.other_sizes != usual.other_sizes:
        return recipe
    size, usual_size = (f"{frames.height}×{frames.width}" for frames in (asked, usual))
    console.print(
        f"trained at {size} alone: {name}'s other sizes go with {usual_size}; give others with --frames.other-sizes",
        highlight=False,
    )
    return replace(recipe, frames=replace(asked, other_sizes=()))
