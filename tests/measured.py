"""What the exporter measures of a graph before it quantises it."""

from pathlib import Path

import pytest

from clipdepth.bundle.golden import Golden
from clipdepth_export.calibration import Statistics, activation_ranges, largest_values
from clipdepth_export.sources.dataset import DatasetFrames
from clipdepth_export.variants import feeds


def measured(graph: Path, pictures: Golden) -> Statistics:
    """The statistics of a graph's tensors on those pictures."""
    frames = feeds(pictures)
    return Statistics(activation_ranges(graph, frames), largest_values(graph, frames))


def few_calibration_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let int8 take its ranges from 8 frames of a dataset, where it does not matter which ranges it has."""
    monkeypatch.setattr("clipdepth_export.exporter.CALIBRATION_FRAMES", 8)
    monkeypatch.setattr(DatasetFrames, "least", 8)
