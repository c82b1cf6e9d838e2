"""Errors of depth by kind of scene and by true distance, as Markdown tables."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.kind import MIN_DEPTH
from clipdepth.bundle.metrics import DepthMetrics, counted_pixels, mean_metrics
from clipdepth_train.evaluation import Comparison

EDGES = (0, 1, 2, 3, 4, 6, 10)
"""The ends of the bands of distance, metres."""
FEWEST = 10
"""Scene types with fewer frames are joined."""
OTHER, ALL = "other", "all"


class Bands:
    """Errors of pixels by their true distance, all pixels of all pictures alike."""

    def __init__(self) -> None:
        self._sums = np.zeros((4, len(EDGES) - 1))

    def add(self, comparison: Comparison) -> None:
        """Count the pixels that `depth_metrics` counts, with the prediction clamped as there."""
        valid = counted_pixels(comparison.truth, comparison.region, comparison.max_depth)
        true = comparison.truth[valid].astype(np.float64)
        predicted = comparison.prediction[valid].astype(np.float64)
        log_error = np.log(np.clip(predicted, MIN_DEPTH, comparison.max_depth) / true)
        rel, close = np.abs(np.exp(log_error) - 1), np.abs(log_error) < np.log(1.25)
        band = np.digitize(true, EDGES[1:-1])
        for index, values in enumerate((np.ones_like(true), rel, close, log_error)):
            self._sums[index] += np.bincount(band, values, len(EDGES) - 1)

    def means(self) -> NDArray[np.float64]:
        """(bands, 4): the share of all pixels, then the mean rel, δ1 and signed log error in the band, NaN for none."""
        counts = self._sums[0]
        with np.errstate(invalid="ignore"):
            return np.stack([counts / counts.sum(), *(self._sums[1:] / counts)], axis=1)


@dataclass
class Errors:
    """What was measured of one model; metrics by the index of the frame."""

    title: str
    plain: dict[int, DepthMetrics] = field(default_factory=dict)
    aligned: dict[int, DepthMetrics] = field(default_factory=dict)
    """Each image scaled to its true median first."""
    bands: Bands = field(default_factory=Bands)

    def add(self, comparison: Comparison) -> None:
        """Measure one frame; one without a valid pixel is left out."""
        plain, aligned = comparison.metrics(), comparison.metrics("median")
        if plain and aligned:
            self.plain[comparison.index], self.aligned[comparison.index] = plain, aligned
            self.bands.add(comparison)

    def worst(self, count: int) -> list[int]:
        """The frames of largest rel, the worst first."""
        return sorted(self.plain, key=lambda index: -self.plain[index].rel)[:count]


def scene_table(models: Sequence[Errors], scenes: Mapping[int, str]) -> str:
    """Mean errors of frames by scene type, in Markdown; `scenes` is the type of each frame."""
    groups = scene_groups({index: scenes[index] for index in models[0].plain})
    titles = [f"{metric}, {model.title}" for metric in ("rel ↓", "δ1 ↑", "aligned δ1 ↑") for model in models]
    lines = [("scene", "n", *titles)]
    for name, indices in groups.items():
        plain = [mean_metrics([model.plain[i] for i in indices]) for model in models]
        aligned = [mean_metrics([model.aligned[i] for i in indices]) for model in models]
        values = [*(m.rel for m in plain), *(m.delta1 for m in plain), *(m.delta1 for m in aligned)]
        lines.append((name.replace("_", " "), str(len(indices)), *(f"{value:.3f}" for value in values)))
    return markdown(lines)


def scene_groups(scenes: Mapping[int, str]) -> dict[str, list[int]]:
    """Frames by scene type, the most frequent first, then those of rare types together, then all."""
    counts = Counter(scenes.values())
    frequent = [name for name, count in counts.most_common() if count >= FEWEST]
    groups = {name: [index for index in scenes if scenes[index] == name] for name in frequent}
    rare = [index for index in scenes if scenes[index] not in groups]
    return {**groups, **({OTHER: rare} if rare else {}), ALL: list(scenes)}


def distance_table(model: Errors) -> str:
    """Errors of pixels by true distance, in Markdown."""
    lines = [("true distance", "pixels", "rel ↓", "δ1 ↑", "mean log error")]
    for near, far, (share, rel, delta1, log_error) in zip(EDGES, EDGES[1:], model.bands.means(), strict=False):
        errors = (f"{rel:.3f}", f"{delta1:.3f}", f"{log_error:+.3f}") if share else ("–", "–", "–")
        lines.append((f"{near}–{far} m", f"{share:.1%}", *errors))
    return markdown(lines)


def markdown(lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table of a heading and rows, numbers to the right."""
    heading, *rows = (f"| {' | '.join(line)} |" for line in lines)
    columns = heading.count("|") - 2
    return "\n".join([heading, f"| --- |{' --: |' * columns}", *rows]) + "\n"
