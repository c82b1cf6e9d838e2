"""Whether the depth to learn from lies where the model can answer, and whether there is any to be evaluated on."""

import logging

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.metrics import counted_pixels
from clipdepth.errors import UsageError
from clipdepth_train.data.sample import RgbdPair, RgbdSet, evenly_spread
from clipdepth_train.data.transforms import test_pair
from clipdepth_train.recipe import Recipe

LOG = logging.getLogger(__name__)
LOOKED_AT = 16
"""Training pairs, evenly spread, whose depth is counted."""
MUCH = 0.01
"""The share of depth out of range from which on a warning is worth it."""
_CHANGE = "change it with --model.min-depth and --model.max-depth"


def require_truth(recipe: Recipe, pairs: RgbdSet, tests: RgbdSet) -> None:
    """Warn of training depth that the model cannot answer, with its share.

    Raises UsageError where all of it is so and the model's range could be another, or where no training pair or no test
    pair has known depth: such a run learns nothing, or cannot be evaluated in the end.
    """
    if recipe.loss.learns_depth and not recipe.teacher:
        _require_answerable(recipe, pairs)
    limit = recipe.frames.max_depth
    truths = (test_pair(tests[index], recipe.frames).depth for index in range(len(tests)))
    if not any(counted_pixels(truth, None, limit).any() for truth in truths):
        raise UsageError(f"no test pair has known depth below {limit:g} m; {_how_depth_is_read(recipe)}")


def _require_answerable(recipe: Recipe, pairs: RgbdSet) -> None:
    near, far = recipe.depth_range
    known = np.concatenate([_known(pairs[index]) for index in evenly_spread(len(pairs), LOOKED_AT)])
    outside = float(np.mean((known < near) | (known > far))) if known.size else 1.0
    if outside == 1:
        _require_some(recipe, pairs, *((near, far) if _can_change(recipe) else (0.0, np.inf)))
    if outside >= MUCH:
        LOG.warning(
            "%.0f%% of the training depth is outside %g to %g m, what the model can answer%s",
            *(100 * outside, near, far, _remedy(recipe)),
        )


def _require_some(recipe: Recipe, pairs: RgbdSet, near: float, far: float) -> None:
    """Look at all pairs, up to the first with depth in range: only who has seen all can say that there is none."""
    least, most = np.inf, 0.0
    for index in range(len(pairs)):
        known = _known(pairs[index])
        if np.any((known >= near) & (known <= far)):
            return
        if known.size:
            least, most = min(least, float(known.min())), max(most, float(known.max()))
    if not most:
        limit = recipe.frames.max_depth
        raise UsageError(f"no training pair has known depth up to {limit:g} m; {_how_depth_is_read(recipe)}")
    raise UsageError(
        f"all training depth, {least:.3g} to {most:.3g} m, is outside {near:g} to {far:g} m, what the model can "
        f"answer; {_CHANGE}, or check --frames.depth-scale ({recipe.frames.depth_scale:g} units a metre)"
    )


def _known(pair: RgbdPair) -> NDArray[np.float32]:
    # Every fourth row and column: a share does not need them all.
    depth = pair.depth[::4, ::4] if pair.depth[::4, ::4].any() else pair.depth
    return depth[depth > 0]


def _can_change(recipe: Recipe) -> bool:
    """Whether the model's range is the user's to choose; the paper's distance classes are what they are."""
    return hasattr(recipe.model, "max_depth")


def _remedy(recipe: Recipe) -> str:
    return f"; {_CHANGE}" if _can_change(recipe) else ""


def _how_depth_is_read(recipe: Recipe) -> str:
    frames = recipe.frames
    return (
        f"check its depth files, --frames.max-depth ({frames.max_depth:g} m) and --frames.depth-scale "
        f"({frames.depth_scale:g} units a metre)"
    )
