"""An engine's accuracy on a dataset, measured as `clipdepth evaluate` measures runs and bundles."""

from collections.abc import Iterable

from clipdepth.bundle.metrics import DepthMetrics, mean_metrics
from clipdepth.bundle.record import Record
from clipdepth_train.data.sample import RgbdSet
from clipdepth_train.evaluation import Crop, Predict, evaluate
from clipdepth_train.recipe import DataConfig


class Accuracy(Record, frozen=True):
    """The mean over test frames."""

    frames: int
    """Those that have a pixel of known depth in the region that counts."""
    metrics: DepthMetrics


def measure_accuracy(
    predict: Predict, pairs: RgbdSet, frames: DataConfig, crop: Crop, which: Iterable[int]
) -> Accuracy:
    """Measure `predict` on the pairs of the indices `which`.

    Raises DataError where none has known depth or a depth is not finite, UsageError for a crop that is not for the
    pictures.
    """
    images = evaluate(predict, pairs, frames, crop, which)
    return Accuracy(len(images), mean_metrics(images))
