"""From sources to sinks through one engine, each stage in a thread of its own."""

from clipdepth.pipeline.branch import Feed
from clipdepth.pipeline.pipeline import Pipeline
from clipdepth.pipeline.slot import Slot

__all__ = ["Feed", "Pipeline", "Slot"]
