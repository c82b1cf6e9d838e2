"""A trained run of clipdepth as the source of an export."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipdepth.bundle.hub_name import is_hub_name
from clipdepth.bundle.manifest import Accuracy, DepthRange, InputSize, Licence, Model, TrainingCamera
from clipdepth.bundle.stored_file import stored_file
from clipdepth.errors import UsageError
from clipdepth_export.sam.of_run import sam_of_run
from clipdepth_export.source import ExportSource
from clipdepth_export.sources.dataset import DatasetFrames
from clipdepth_export.weights import write_weights
from clipdepth_train.checkpoint import CHECKPOINT, load_run_and_state
from clipdepth_train.depth_model import ConfidentModel
from clipdepth_train.named_data import measured_data
from clipdepth_train.recipe import Recipe
from clipdepth_train.recipe_record import decode_recipe, encode_recipe


def run_source(
    run: Path,
    data: str | None = None,
    sam_weights: str | None = None,
    accuracy: Sequence[Accuracy] = (),
    size: InputSize | None = None,
) -> ExportSource:
    """The model of a trained run, with frames of `data`, or of what it was trained on.

    `size` is the first input's, the recipe's own where none is given. `sam_weights` is the file of SAM's weights, for a
    model that was trained with its masks; None for random ones. Raises CheckpointError, DataError and WeightsError
    where they are not there or do not fit, UsageError for the `accuracy` of a run that was evaluated on training pairs.
    """
    model, recipe, state = load_run_and_state(run)
    if accuracy and recipe.frames.held_out:
        raise UsageError(f"{run} is evaluated on training pairs (--frames.held-out); leave out --accuracy")
    model.mirror = False
    deployed = model.deployable()
    data = data or measured_data(recipe.data)
    size = size or InputSize(recipe.frames.height, recipe.frames.width)
    plain = portable_recipe(recipe)
    minimum, maximum = deployed.depth_range
    sam = sam_of_run(data, recipe.frames.segments, sam_weights) if model.network.needs_segmentation else None
    return ExportSource(
        name=run.name,
        module=ConfidentModel(deployed) if model.is_confident else deployed,
        trained=ConfidentModel(model) if model.is_confident else model,
        confident=model.is_confident,
        model=Model(
            recipe=plain,
            parameters=deployed.parameter_count(),
            flops=deployed.flops(size.height, size.width),
            checkpoint_sha256=stored_file(run / CHECKPOINT).sha256,
        ),
        height=size.height,
        width=size.width,
        frames=DatasetFrames(data, recipe.frames),
        depth=DepthRange(minimum, maximum),
        camera=TrainingCamera(**state["camera"]),
        licences=[Licence(**licence) for licence in state["ingredients"]],
        sam=sam,
        accuracy=accuracy,
        other_sizes=recipe.frames.other_sizes,
        write_weights=lambda path: write_weights(run, decode_recipe(plain, str(run)), path),
    )


def portable_recipe(recipe: Recipe) -> dict[str, Any]:
    """The recipe in plain values, of its paths only the last part; names on the hub stay whole.

    Folders of this machine tell a device nothing; the last part of a path still names the data and the weights.
    """
    plain = encode_recipe(recipe)
    for name in ("start", "teacher"):
        if not is_hub_name(plain[name]):
            plain[name] = Path(plain[name]).name
    plain["data"] = [Path(name).name for name in plain["data"]]
    if "trunk" in plain["model"]:
        plain["model"]["trunk"]["weights"] = Path(plain["model"]["trunk"]["weights"]).name
    return plain
