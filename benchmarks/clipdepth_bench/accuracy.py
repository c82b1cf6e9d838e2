"""An engine's accuracy on a dataset, measured as `clipdepth evaluate` measures a trained run's."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle import Bundle
from clipdepth.engines import Infer
from clipdepth.manifest import InputSize
from clipdepth.metrics import DepthMetrics, mean_metrics
from clipdepth.record import Record
from clipdepth.resize import resize_depth, resize_frame
from clipdepth_train.data.sample import RgbdPair, RgbdSet
from clipdepth_train.evaluation import Crop, Predict, evaluate
from clipdepth_train.recipe import DataConfig, decode_recipe


class Accuracy(Record, frozen=True):
    """The mean over test frames."""

    frames: int
    """Those that have a pixel of known depth in the region that counts."""
    metrics: DepthMetrics


def bundle_frames(bundle: Bundle) -> DataConfig:
    """What the bundle's model sees of a picture, as its recipe says; raises CheckpointError for one it cannot read.

    Without stored masks: an engine of a model with SAM segments by itself, as it does on a device.
    """
    recipe = decode_recipe(bundle.manifest.model.recipe, str(bundle.path))
    return replace(recipe.frames, segments="")


def engine_predictor(infer: Infer, size: InputSize) -> Predict:
    """An engine as a function of pictures of any size: resized to its input and back."""

    def predict(pair: RgbdPair) -> NDArray[np.float32]:
        frame = resize_frame(np.ascontiguousarray(pair.frame), size.height, size.width)
        return resize_depth(infer(frame[None])[0], *pair.frame.shape[:2])

    return predict


def measure_accuracy(
    predict: Predict, pairs: RgbdSet, frames: DataConfig, crop: Crop, which: Iterable[int]
) -> Accuracy:
    """Measure `predict` on the pairs of the indices `which`.

    Raises DataError where none has known depth or a depth is not finite, UsageError for a crop that the pictures are
    too small for.
    """
    images = evaluate(predict, pairs, frames, crop, which)
    return Accuracy(len(images), mean_metrics(images))
