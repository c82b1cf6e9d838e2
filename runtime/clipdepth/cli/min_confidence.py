"""The option that leaves out what a model is not sure of."""

import argparse

from clipdepth.cli.arguments import share

MIN_CONFIDENCE = "--min-confidence"


def add_min_confidence(parser: argparse.ArgumentParser) -> None:
    """Add `--min-confidence`, None where it is not given."""
    parser.add_argument(
        MIN_CONFIDENCE,
        type=share,
        metavar="P",
        help="leave out pixels whose depth is within 10%% of the truth with a probability below P, from 0 to 1; for "
        "models that state it (default: all are kept)",
    )
