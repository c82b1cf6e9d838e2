"""From a plain frame to depth through Segment Anything: what PyTorch makes of it, and whether a bundle does too."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import nn

from clipdepth.bundle.golden import Golden
from clipdepth.bundle.sam_record import SamRecord
from clipdepth.engines.sam.painting import paint
from clipdepth.engines.sam.segmenter import load_segmenter
from clipdepth.errors import VerificationError
from clipdepth_export.reference import Track, with_depth
from clipdepth_train.segmentation import SamConfig, Segmenter

LEAST_ALIKE = 0.95
"""Least share of the pixels that a bundle's masks paint like PyTorch's."""
_LEVELS = 2
"""By how many levels a colour may differ: a mask that gains a pixel moves its centroid."""


def segmented(golden: Golden, sam: SamConfig, module: nn.Module, track: Track) -> Golden:
    """Golden frames as a device sees them: segmented by segment-anything at the model's size, with `module`'s depth."""
    segmenter = Segmenter(sam)
    masks = np.stack([paint(segmenter(frame)) for frame in track(list(golden.frames), "SAM's masks")])
    return with_depth(replace(golden, segmentation=masks), module, track)


def require_masks(folder: Path, sam: SamRecord, golden: Golden) -> None:
    """Raise VerificationError where the graphs in `folder` paint golden frames otherwise than PyTorch did."""
    assert golden.segmentation is not None
    for precision in sam.graphs:
        masks = load_segmenter(folder, sam, precision)
        painted = np.stack([paint(masks(frame)) for frame in golden.frames])
        difference = np.abs(painted.astype(np.int16) - golden.segmentation)
        alike = float((difference.max(axis=-1) <= _LEVELS).mean())
        if alike < LEAST_ALIKE:
            raise VerificationError(
                f"SAM's {precision} graphs paint {alike:.1%} of the golden frames' pixels like PyTorch, "
                f"at least {LEAST_ALIKE:.0%} is needed; no bundle was written"
            )
