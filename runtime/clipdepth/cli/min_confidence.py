"""The option that leaves out what a model is not sure of."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clipdepth.cli.arguments import share
from clipdepth.errors import UsageError

if TYPE_CHECKING:
    from clipdepth.bundle.manifest import Manifest


def add_min_confidence(parser: argparse.ArgumentParser) -> None:
    """Add `--min-confidence`, None where it is not given."""
    parser.add_argument(
        "--min-confidence",
        type=share,
        metavar="P",
        help="leave out pixels whose depth is within 10%% of the truth with a probability below P, from 0 to 1; for "
        "models that state it (default: all are kept)",
    )


def least_confidence(given: float | None, manifest: Manifest) -> float:
    """What depth has to have; raises UsageError where one is `given` and the model states none."""
    if given is not None and not manifest.confidence:
        raise UsageError(
            f"--min-confidence: {manifest.name} does not state how sure it is; leave it out, or export a run after "
            "'clipdepth confidence'"
        )
    return given or 0.0
