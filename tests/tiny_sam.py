"""Small Segment Anything with random weights that find many different masks, and its own automatic masks."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.modeling import Sam

from clipdepth_train.segmentation import SamConfig, load_sam

# A fresh SAM answers every point alike; so much more weight on these, and masks differ.
_FACTORS = {
    "self_attn": 4,
    "image_to_token": 2,
    "layers.1.mlp": 4,
    "hypernetworks": 5,
    "output_upscaling": 2,
    "mask_tokens": 2,
    "point_embeddings": 4,
}


def lively_sam() -> Sam:
    """A mini SAM whose masks differ from point to point, and whose predicted overlaps and stabilities spread."""
    sam = load_sam(SamConfig("mini", "none"))
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in sam.named_parameters():
            if "pos" in name:
                weight.copy_(torch.randn(weight.shape, generator=random) * 1.5)
            for part, factor in _FACTORS.items():
                if part in name and name.endswith("weight"):
                    weight *= factor
    return sam


def lively_config(path: Path, points_per_side: int = 6, iou: float = 0.0, stability: float = 0.0) -> SamConfig:
    """Save the weights of `lively_sam` in folder `path`; return what loads them."""
    file = path / "lively.pth"
    torch.save(lively_sam().state_dict(), file)
    return SamConfig("mini", str(file), points_per_side, iou, stability)


def own_masks(
    sam: Sam, frame: NDArray[np.uint8], points_per_side: int, iou: float, stability: float
) -> NDArray[np.bool_]:
    """The masks of segment-anything's own generator that are not empty, (N, H, W) bool, best first."""
    generator = SamAutomaticMaskGenerator(
        sam, points_per_side, 8, pred_iou_thresh=iou, stability_score_thresh=stability
    )
    records = generator.generate(np.ascontiguousarray(frame[..., ::-1]))
    masks = [record["segmentation"] for record in records if record["area"]]
    return np.array(masks, np.bool_).reshape(len(masks), *frame.shape[:2])


def best_overlaps(masks: NDArray[np.bool_], others: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The largest intersection over union that each of `masks` has with any of `others`, (N,)."""
    a, b = (kind.reshape(len(kind), -1).astype(np.float64) for kind in (masks, others))
    shared = a @ b.T
    return np.asarray((shared / (a.sum(1)[:, None] + b.sum(1) - shared)).max(axis=1))
