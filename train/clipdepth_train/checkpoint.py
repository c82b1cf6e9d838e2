"""A training run's folder: its recipe, its weights, and what it takes to go on after a kill."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from clipdepth.bundle.confidence import SHAPE
from clipdepth.errors import CheckpointError
from clipdepth.files.atomic import atomic_file
from clipdepth_train.depth_model import DepthModel, build_model
from clipdepth_train.models.confidence import has_confidence
from clipdepth_train.recipe import Recipe
from clipdepth_train.recipe_record import decode_recipe, encode_recipe

CHECKPOINT = "checkpoint.safetensors"
RESUME = "resume.safetensors"
CONFIDENCE = "confidence"
"""Where a checkpoint's state keeps the calibration of confidence."""
EARLIER_LAW = (
    "the confidence of {run} was calibrated by an earlier law of errors; run 'clipdepth confidence {run}' again"
)
"""What is said of a run that is not `calibrated_by_todays_law`."""
LOG = logging.getLogger(__name__)


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], recipe: Recipe, state: Mapping[str, Any]) -> None:
    """Write tensors, the recipe and JSON-able `state` to a safetensors file, whole or not at all."""
    metadata = {"recipe": json.dumps(encode_recipe(recipe)), "state": json.dumps(dict(state))}
    # Tied or strided tensors are refused by safetensors; ours are neither after this.
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_file(path) as partial:
        # save_file would make it readable by its owner alone, and hide a full disk in an error of its own.
        partial.write_bytes(save(plain, metadata))


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], Recipe, dict[str, Any]]:
    """Read what `save_checkpoint` wrote, half precision as float32.

    Raises CheckpointError where it is missing or damaged.
    """
    with _opened(path) as file:
        tensors = {name: _whole(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118 (no mapping)
        return tensors, *_told(file, path)


def read_state(path: Path) -> tuple[Recipe, dict[str, Any]]:
    """The recipe and the state of a checkpoint, without its tensors; raises as `read_checkpoint`."""
    with _opened(path) as file:
        return _told(file, path)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise CheckpointError(
            f"no {path.name} in {path.parent}; train it with 'clipdepth train RECIPE --out {path.parent}'"
        )
    try:
        with safe_open(path, "pt") as file:
            yield file
    except (SafetensorError, KeyError, json.JSONDecodeError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged ({error}); restore it or train again into an empty folder") from None


def _told(file: Any, path: Path) -> tuple[Recipe, dict[str, Any]]:
    metadata = file.metadata() or {}
    return decode_recipe(json.loads(metadata["recipe"]), str(path)), json.loads(metadata["state"])


def _whole(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype == torch.float16 else tensor


def load_run(run: Path) -> tuple[DepthModel, Recipe]:
    """The trained model of a run's folder, in eval mode, and its recipe; needs no download."""
    model, recipe, _ = load_run_and_state(run)
    return model, recipe


def load_run_and_state(run: Path) -> tuple[DepthModel, Recipe, dict[str, Any]]:
    """What `load_run` gives, and the state that was saved beside the weights.

    Warns of confidence that was calibrated by another law of errors than today's, and is off by it.
    """
    model, recipe, state = load_checkpoint(run / CHECKPOINT)
    if model.is_confident and not calibrated_by_todays_law(state):
        LOG.warning(EARLIER_LAW.format(run=run))
    return model, recipe, state


def calibrated_by_todays_law(state: Mapping[str, Any]) -> bool:
    """Whether the calibration that a state keeps, if any, is by the law of errors of `clipdepth.bundle.confidence`."""
    return CONFIDENCE not in state or state[CONFIDENCE].get("shape") == SHAPE


def load_checkpoint(path: Path) -> tuple[DepthModel, Recipe, dict[str, Any]]:
    """The same of a file of weights: a run's checkpoint, or those in a bundle."""
    tensors, recipe, state = read_checkpoint(path)
    model = build_model(recipe, pretrained=False)
    if has_confidence(tensors):
        model.add_confidence()
    load_weights(model, tensors, path)
    return model.eval(), recipe, state


def part_of(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def load_weights(model: torch.nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Fill `model` with `tensors`; raises CheckpointError where they do not fit."""
    wanted = model.state_dict()
    problems = [
        *(f"{name} is missing" for name in wanted if name not in tensors),
        *(f"the model has no {name}" for name in tensors if name not in wanted),
        *(
            f"{name} is {_shape(tensors[name])}, the model's {_shape(value)}"
            for name, value in wanted.items()
            if name in tensors and tensors[name].shape != value.shape
        ),
    ]
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise CheckpointError(f"the weights in {path} do not fit the model: {problems[0]}{more}")
    model.load_state_dict(dict(tensors))


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "one number"
