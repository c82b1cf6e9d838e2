"""What the exporter measures of a graph before it quantises it."""

from pathlib import Path

from clipdepth.bundle.golden import Golden
from clipdepth_export.calibration import Statistics, activation_ranges, largest_values
from clipdepth_export.variants import feeds


def measured(graph: Path, pictures: Golden) -> Statistics:
    """The statistics of a graph's tensors on those pictures."""
    frames = feeds(pictures)
    return Statistics(activation_ranges(graph, frames), largest_values(graph, frames))
