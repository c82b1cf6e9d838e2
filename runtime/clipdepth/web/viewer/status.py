"""What runs and how well, for the page and for metrics."""

import logging
from dataclasses import asdict
from time import monotonic
from typing import Any

import numpy as np

from clipdepth import __version__
from clipdepth.bundle.confidence import LEVELS, half_width
from clipdepth.pipeline import Pipeline
from clipdepth.sinks.depth_picture import INVALID, colourise
from clipdepth.web.viewer.setup import Setup

_LOG = logging.getLogger(__name__)

COLOURS = 256
REFRESH_S = 0.5
"""How old a status that is given again may be, seconds."""


def describe(setup: Setup, sources: list[str]) -> dict[str, Any]:
    """The setup for the page; colours are RRGGBB from near to far, then that of unknown depth.

    `margins`, for a model that says how sure it is, has `half_width` for each level of a message's confidence; None
    where that is infinite.
    """
    ramp = np.linspace(1, 2, COLOURS, dtype=np.float32)[None]
    colours = [bytes(colour[::-1].tolist()).hex() for colour in colourise(ramp, 1, 2)[0]]
    unknown = bytes([INVALID] * 3).hex()
    return {
        "version": __version__,
        **asdict(setup),
        "sources": sources,
        "colours": colours,
        "unknown": unknown,
        "margins": _margins() if setup.confidence else None,
    }


def _margins() -> list[float | None]:
    # The last level holds all that is rounded to it, and no depth is certain.
    confidence = np.minimum(np.arange(LEVELS + 1), LEVELS - 0.5) / LEVELS
    shares = half_width(np.asarray(confidence, np.float32))
    return [round(float(share), 4) if np.isfinite(share) else None for share in shares]


class Status:
    """The counters of a pipeline, once there is one."""

    def __init__(self) -> None:
        self.pipeline: Pipeline | None = None
        self.viewers = 0
        self.sent = 0
        self.lost = 0
        self._cached: dict[str, Any] = {}
        self._until = 0.0

    def count_lost(self) -> None:
        """Count a viewer that stopped reading or whose network went away; log the first."""
        self.lost += 1
        if self.lost == 1:
            _LOG.warning("a viewer stopped reading or was cut off; it was let go (more of these are only counted)")

    def now(self) -> dict[str, Any]:
        """Counters of each source, and latency of each stage in milliseconds; at most half a second old."""
        if monotonic() >= self._until:
            self._cached = self._read()
            self._until = monotonic() + REFRESH_S
        return self._cached

    def _read(self) -> dict[str, Any]:
        branches = self.pipeline.branches if self.pipeline else []
        sources = [
            {
                "name": branch.source.name,
                "captured": branch.counts.captured,
                "processed": branch.counts.processed,
                "novel": branch.counts.novel,
                "measured": asdict(compared) if (compared := branch.counts.comparison.summary()) else None,
                "dropped": dict(branch.counts.dropped),
                "losses": branch.source.losses,
                "state": branch.state,
            }
            for branch in branches
        ]
        latency = self.pipeline.times.summary() if self.pipeline else {}
        stages = {stage: asdict(of) for stage, of in latency.items()}
        return {"time": monotonic(), "sources": sources, "latency": stages, "viewers": self.viewers}
