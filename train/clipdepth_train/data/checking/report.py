"""What `data check` says, for people and as JSON."""

import math
from typing import Any

from clipdepth_train.data.checking.check import Checked
from clipdepth_train.data.checking.findings import Finding
from clipdepth_train.data.checking.focal import FocalFromPoses
from clipdepth_train.data.checking.registration import Shift


def summary(checked: Checked) -> list[str]:
    """A few lines on the whole set."""
    statistics = checked.statistics
    depths = ", ".join(f"{statistics.quantile(share):.2f}" for share in (0.01, 0.5, 0.99))
    counts = f"{checked.counts['train']} pairs to train, {checked.counts['test']} to test; {checked.read} read whole"
    if not checked.read:
        return [counts]
    return [
        counts,
        f"depth: {depths} m (1st, 50th and 99th in a hundred)",
        f"{statistics.share_of_holes:.1%} of pixels without depth, {statistics.share_beyond:.1%} of depth beyond "
        f"{statistics.max_depth:g} m",
        _registration(checked.shift),
        *([] if checked.focal is None else [_focal(checked.focal)]),
    ]


def as_json(checked: Checked) -> dict[str, Any]:
    """The same and all that was found."""
    statistics, shift, focal = checked.statistics, checked.shift, checked.focal
    quantiles = {f"{share:g}": statistics.quantile(share) for share in (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)}
    return {
        "pairs": checked.counts,
        "read": checked.read,
        "faults": [_found(finding) for finding in checked.findings.faults],
        "notes": [_found(finding) for finding in checked.findings.notes],
        "depth_metres_by_quantile": {share: None if math.isnan(at) else at for share, at in quantiles.items()},
        "share_of_holes": statistics.share_of_holes,
        "share_beyond_range": statistics.share_beyond,
        "max_depth": statistics.max_depth,
        "histogram": {"edges_metres": statistics.edges.tolist(), "pixels": statistics.counts.tolist()},
        "shift_pixels": None
        if shift is None
        else {
            "x": shift.x,
            "y": shift.y,
            "clearness": shift.clearness,
            "is_clear": shift.is_clear,
            "pairs": shift.pairs,
        },
        "focal_from_poses": None
        if focal is None
        else {
            "factor": focal.factor,
            "low": focal.low,
            "high": focal.high,
            "distance_pixels": focal.distance,
            "fits": focal.fits,
            "pictures": focal.views,
        },
    }


def _registration(shift: Shift | None) -> str:
    if shift is None:
        return "registration: too few edges of depth to tell"
    if not shift.is_clear:
        return "registration: edges of depth and picture do not agree enough to tell"
    return f"registration: pictures lie {shift.x:+.1f}, {shift.y:+.1f} pixels (right, down) of their depth"


def _focal(focal: FocalFromPoses) -> str:
    if not focal.fits:
        return f"focal length: none fits the {focal.views} pictures and their poses"
    times = f"{focal.factor:.2f} times ({focal.low:.2f} to {focal.high:.2f})"
    return f"focal length: {times} what is stated fits {focal.views} pictures and their poses"


def _found(finding: Finding) -> dict[str, Any]:
    return {"kind": finding.kind, "count": finding.count, "first": finding.first, "remedy": finding.remedy}
