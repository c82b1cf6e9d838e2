"""How far an engine's depth is from PyTorch's: the one check behind export, build, verify and bench."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.answer import Answer
from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.bundle.metrics import depth_metrics


@dataclass(frozen=True)
class Tolerance:
    """How far depth may be from PyTorch's."""

    mean: float
    """Largest mean relative depth difference."""
    delta1: float | None = None
    """Largest change of δ1 against the measured depth, as a share of the pixels; None for any."""
    confidence: float | None = None
    """Largest mean difference of confidence, which is from 0 to 1, where the model states it; None for any."""
    novelty: float | None = None
    """Largest mean relative difference of novelty, likewise."""


TOLERANCES = {
    "fp32": Tolerance(1e-4, confidence=1e-4, novelty=1e-3),
    "fp16": Tolerance(5e-3, 0.002, 0.005, 0.01),
    "int8": Tolerance(3e-2, 0.01, 0.03, 0.1),
}
"""What each precision may differ by, unless an export says otherwise."""
MOST_LOOSENED = 10
"""How many times its default mean a precision's may be: what differs more is another network's depth."""


ENOUGH = 16
"""The frames from which on a change of δ1 is taken at its word; of fewer it changes by chance too."""
_LOOSEST = 0.3
"""The most that confidence and novelty may differ by: what differs more tells nothing."""


def looser_limits(precision: str, tolerance: Tolerance) -> str | None:
    """In what a tolerance allows more than the precision's default, for people; None where it does not."""
    default = TOLERANCES[precision]
    parts = []
    if tolerance.mean > default.mean:
        parts.append(f"mean {tolerance.mean:g} instead of {default.mean:g}")
    if default.delta1 is not None and (tolerance.delta1 is None or tolerance.delta1 > default.delta1):
        stated = "any" if tolerance.delta1 is None else f"{100 * tolerance.delta1:g}"
        parts.append(f"δ1 {stated} instead of {100 * default.delta1:g} points")
    if tolerance.confidence is not None and tolerance.confidence > (default.confidence or 0):
        parts.append(f"confidence {tolerance.confidence:g} instead of {default.confidence:g}")
    if tolerance.novelty is not None and tolerance.novelty > (default.novelty or 0):
        parts.append(f"novelty {tolerance.novelty:g} instead of {default.novelty:g}")
    return f"limits looser than {precision}'s own: {', '.join(parts)}" if parts else None


def largest_mean(precision: str) -> float:
    """The largest mean that a tolerance of that precision may state."""
    return MOST_LOOSENED * TOLERANCES[precision].mean


@dataclass(frozen=True)
class Agreement:
    """The relative depth difference |d - r| / r over all pixels of all frames, r being PyTorch fp32's depth.

    Of a network whose answer is not metric the difference is relative to the mean of |r| over the frame instead, since
    its zero means nothing.
    """

    frames: int
    mean: float
    p99: float
    largest: float
    finite: bool
    tolerance: Tolerance
    rel_change: float | None = None
    """rel of d less rel of r, each against the measured depth; None where no pixel of it is known."""
    delta1_change: float | None = None
    """δ1 of d less δ1 of r, likewise."""
    confidence_change: float | None = None
    """The mean difference of confidence from PyTorch's; None where there is none."""
    novelty_change: float | None = None
    """The mean relative difference of novelty from PyTorch's; None where there is none."""
    delta1_error: float = 0.0
    """The standard error of δ1's change, of two frames or more that are fewer than ENOUGH; 0 else."""

    @property
    def passed(self) -> bool:
        """Whether everything is finite, and the mean and the changes of the rest are within `tolerance`."""
        return self.finite and self.mean <= self.tolerance.mean and self.delta1_holds and self.confidence_holds

    @property
    def confidence_holds(self) -> bool:
        """Whether the changes of confidence and novelty are within the tolerance, or neither known nor limited."""
        return all(limit is None or change is None or change <= limit for limit, change in self._confidence_limits)

    @property
    def holds_confidence(self) -> bool:
        """Whether confidence and novelty were measured, each held to a limit below what leaves nothing of it."""
        limits = self._confidence_limits
        return all(change is not None and limit is not None and limit <= _LOOSEST for limit, change in limits)

    @property
    def _confidence_limits(self) -> list[tuple[float | None, float | None]]:
        """The limit and the change of confidence, and of novelty."""
        held, limits = self, self.tolerance
        return [(limits.confidence, held.confidence_change), (limits.novelty, held.novelty_change)]

    @property
    def delta1_holds(self) -> bool:
        """Whether δ1's change is within the tolerance, or neither known nor limited.

        Its standard error is allowed besides, at most as much again as the tolerance.
        """
        limit, change = self.tolerance.delta1, self.delta1_change
        return limit is None or change is None or abs(change) <= limit + min(self.delta1_error, limit)

    def __str__(self) -> str:
        verdict = "agrees with" if self.passed else "differs from"
        if not self.finite:
            return f"{verdict} PyTorch: its answer has NaN or infinite values"
        found = (
            f"{verdict} PyTorch: relative depth difference mean {self.mean:.2g}, p99 {self.p99:.2g}, "
            f"largest {self.largest:.2g} over {self.frames} frames (tolerance {self.tolerance.mean:g} on the mean)"
        )
        if self.delta1_change is not None:
            limit = "" if self.tolerance.delta1 is None else f" (tolerance {100 * self.tolerance.delta1:g})"
            error = f" ± {100 * self.delta1_error:.2f}" if self.delta1_error else ""
            found += f", δ1 changes by {100 * self.delta1_change:+.2f}{error} points{limit}"
        if self.confidence_change is not None:
            limit = "" if self.tolerance.confidence is None else f" (tolerance {self.tolerance.confidence:g})"
            found += f", confidence differs by {self.confidence_change:.2g}{limit}"
        if self.novelty_change is not None:
            limit = "" if self.tolerance.novelty is None else f" (tolerance {self.tolerance.novelty:g})"
            found += f", novelty differs by {self.novelty_change:.2g}{limit}"
        return found


def compare_answers(
    found: Answer,
    reference: Answer,
    tolerance: Tolerance,
    truth: NDArray[np.float32] | None = None,
    kind: DepthKind = METRIC,
) -> Agreement:
    """Compare an engine's answer with PyTorch's: depth as `compare_depth`, and the rest where both have it."""
    agreement = compare_depth(found.depth, reference.depth, tolerance, truth, kind)
    if not all(np.isfinite(part).all() for part in found if part is not None):
        # Zeros and not NaN, so that the manifest and the reports stay valid JSON.
        return Agreement(len(found.depth), 0.0, 0.0, 0.0, False, tolerance)
    if found.confidence is not None and reference.confidence is not None:
        agreement = replace(agreement, confidence_change=float(np.abs(found.confidence - reference.confidence).mean()))
    if found.novelty is not None and reference.novelty is not None:
        agreement = replace(agreement, novelty_change=float(np.abs(found.novelty / reference.novelty - 1).mean()))
    return agreement


def compare_depth(
    depth: NDArray[np.float32],
    reference: NDArray[np.float32],
    tolerance: Tolerance,
    truth: NDArray[np.float32] | None = None,
    kind: DepthKind = METRIC,
) -> Agreement:
    """Compare an engine's answer with PyTorch's, both (N, H, W) float32; metric depth is positive.

    `truth`, likewise, is the measured depth, 0 where it is unknown; it counts for metric depth only, as far as it goes:
    what the recipe calls too far is unknown, and a graph answers within the manifest's range. Raises
    ValueError when the shapes differ.
    """
    if depth.shape != reference.shape:
        raise ValueError(f"the depth is {depth.shape}, the reference {reference.shape}")
    if not np.isfinite(depth).all():
        # Zeros and not NaN, so that the manifest and the reports stay valid JSON.
        return Agreement(len(depth), 0.0, 0.0, 0.0, False, tolerance)
    whole = reference if kind == METRIC else np.abs(reference).mean(axis=(1, 2), keepdims=True, dtype=np.float64)
    difference = np.abs(depth.astype(np.float64) - reference) / np.where(whole == 0, 1, whole)
    rel_change, delta1_change, delta1_error = _changes(depth, reference, truth if kind == METRIC else None)
    return Agreement(
        frames=len(depth),
        mean=float(difference.mean()),
        p99=float(np.percentile(difference, 99)),
        largest=float(difference.max()),
        finite=True,
        tolerance=tolerance,
        rel_change=rel_change,
        delta1_change=delta1_change,
        delta1_error=delta1_error,
    )


def _changes(
    depth: NDArray[np.float32], reference: NDArray[np.float32], truth: NDArray[np.float32] | None
) -> tuple[float | None, float | None, float]:
    """By how much rel and δ1, the means over the frames that have measured depth, change; and `delta1_error`."""
    if truth is None:
        return None, None, 0.0
    pairs = [
        (depth_metrics(found, true, max_depth=math.inf), depth_metrics(expected, true, max_depth=math.inf))
        for found, expected, true in zip(depth, reference, truth, strict=True)
    ]
    known = [(found, expected) for found, expected in pairs if found is not None and expected is not None]
    if not known:
        return None, None, 0.0
    rel = float(np.mean([found.rel - expected.rel for found, expected in known]))
    delta1 = np.array([found.delta1 - expected.delta1 for found, expected in known])
    few = 1 < len(delta1) < ENOUGH
    error = float(delta1.std(ddof=1)) / math.sqrt(len(delta1)) if few else 0.0
    return rel, float(delta1.mean()), error
