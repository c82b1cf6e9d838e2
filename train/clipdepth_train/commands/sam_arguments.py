"""Command-line arguments that say which Segment Anything, and which of its masks."""

import argparse

from clipdepth.cli.arguments import positive_int
from clipdepth_train.segmentation import NO_WEIGHTS, PUBLISHED, VARIANTS, SamConfig


def add_sam_arguments(parser: "argparse.ArgumentParser | argparse._ArgumentGroup", short: bool = False) -> None:
    """Add `--sam`, `--sam-weights` and what decides which masks are kept.

    With `short` they go by the names of `--variant` and `--weights` too.
    """
    names = (["--variant"], ["--weights"]) if short else ([], [])
    parser.add_argument(
        *names[0], "--sam", dest="sam", choices=VARIANTS, default="vit_b", help="image encoder (default: %(default)s)"
    )
    weights = f"its published weights, or '{NO_WEIGHTS}' for random ones; needed for all but mini, which has no others"
    parser.add_argument(*names[1], "--sam-weights", dest="sam_weights", metavar="PATH", help=weights)
    for option, kind, about in (
        ("points_per_side", positive_int, "points a row and a column to ask for masks at"),
        ("pred_iou_thresh", float, "least quality of a mask as SAM predicts it"),
        ("stability_score_thresh", float, "least stability of a mask"),
    ):
        parser.add_argument(
            f"--{option.replace('_', '-')}",
            type=kind,
            default=getattr(SamConfig, option),
            metavar="N" if kind is positive_int else "X",
            help=f"{about} (default: %(default)s)",
        )


def sam_config(arguments: argparse.Namespace) -> SamConfig | None:
    """What the arguments say; None where the variant needs weights and none are given."""
    weights = arguments.sam_weights or (NO_WEIGHTS if arguments.sam not in PUBLISHED else None)
    if weights is None:
        return None
    return SamConfig(
        arguments.sam, weights, arguments.points_per_side, arguments.pred_iou_thresh, arguments.stability_score_thresh
    )
