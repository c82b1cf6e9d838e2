"""Giving a trained model its confidence: fitted on training frames, calibrated on frames that were held out."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Protocol

from clipdepth.bundle.confidence import SHAPE
from clipdepth.bundle.manifest import TrainingCamera
from clipdepth.errors import CheckpointError, UsageError
from clipdepth_train.checkpoint import (
    CHECKPOINT,
    CONFIDENCE,
    EARLIER_LAW,
    calibrated_by_todays_law,
    load_checkpoint,
    read_state,
    save_checkpoint,
)
from clipdepth_train.confidence.errors import Errors, measure_errors
from clipdepth_train.confidence.fit import Calibration, apply_calibration, calibrate, fit_head
from clipdepth_train.confidence.novelty import fit_novelty
from clipdepth_train.data.loader import open_set
from clipdepth_train.data.sample import Split, evenly_spread
from clipdepth_train.depth_model import DepthModel
from clipdepth_train.recipe import Recipe


class Follow(Protocol):
    """Goes through numbers of frames while it shows how far it is."""

    def __call__(self, items: list[int], description: str) -> Iterable[int]:
        """See the class."""


def add_confidence(weights: Path, run: Path, data: str, like: Path | None, most: int, follow: Follow) -> Calibration:
    """Fit the heads of the model in the file `weights` on at most `most` frames of `data` and calibrate them.

    The model is written to `run`, with its other weights as they are. The calibration is of the frames that the model
    held out, or that of `like`, a run that has its own. Raises UsageError for a model without either, or whose network
    cannot have the heads.
    """
    calibration = None if like is None else read_calibration(like)
    model, recipe, state = load_checkpoint(weights)
    if calibration is None and not recipe.frames.held_out:
        raise UsageError(
            f"{weights.parent} held out no training frames to calibrate on, and test frames are none to choose by; "
            "name a run of the same recipe that did (--frames.held-out 5) and has confidence with --like"
        )
    head, novelty = model.add_confidence()
    found = _errors(model, recipe, state, data, "train", most, follow)
    fit_head(head, found)
    fit_novelty(novelty, found.pictures)
    if calibration is None:
        # The split of tests of a run that holds frames out is of those.
        calibration = calibrate(head, novelty, _errors(model, recipe, state, data, "test", most, follow))
    apply_calibration(head, novelty, calibration)
    noted = {**state, CONFIDENCE: {**asdict(calibration), "own": like is None, "shape": SHAPE}}
    save_checkpoint(run / CHECKPOINT, model.state_dict(), recipe, noted)
    return calibration


def read_calibration(run: Path) -> Calibration:
    """The calibration that a run's own held-out frames gave; raises UsageError where it has none by today's law."""
    _, state = read_state(run / CHECKPOINT)
    if CONFIDENCE not in state or not state[CONFIDENCE].get("own"):
        raise UsageError(f"{run} has no calibration of its own; run 'clipdepth confidence {run}' first")
    if not calibrated_by_todays_law(state):
        raise UsageError(EARLIER_LAW.format(run=run))
    try:
        return Calibration(**{name.name: float(state[CONFIDENCE][name.name]) for name in fields(Calibration)})
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{run / CHECKPOINT} holds no calibration that can be read: {error}") from None


def _errors(
    model: DepthModel, recipe: Recipe, state: Mapping[str, Any], data: str, split: Split, most: int, follow: Follow
) -> Errors:
    frames = replace(recipe.frames, dense=False)  # what is painted in is no truth
    pairs = open_set(data, split, frames)
    indices = evenly_spread(len(pairs), most)
    named = "training frames" if split == "train" else "held-out frames"
    camera = state.get("camera")
    focal = TrainingCamera(**camera).focal if camera else None
    return measure_errors(model, pairs, follow(indices, named), frames, focal)
