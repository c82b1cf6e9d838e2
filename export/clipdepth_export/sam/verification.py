"""Segment Anything's graphs against segment-anything's own modules."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import SamPredictor
from segment_anything.modeling import Sam
from torch import Tensor

from clipdepth.bundle.sam_agreement import SamAgreement, SamAnswer, SamTolerance, compare_answers
from clipdepth.engines import usable_cores
from clipdepth.engines.sam.generator import MaskGenerator
from clipdepth.engines.sam.graphs import load
from clipdepth.engines.sam.resize import LOW_RESOLUTION
from clipdepth.errors import VerificationError

POINTS_PER_SIDE = 8
"""Points a row and a column of a frame at which masks are compared."""
_POINTS_AT_ONCE = 8


def verify_sam(
    folder: Path,
    names: Mapping[str, str],
    frames: Sequence[NDArray[np.uint8]],
    answers: Sequence[SamAnswer],
    tolerance: SamTolerance,
) -> SamAgreement:
    """Measure the graphs in `folder`, the names of `encoder` and `decoder`, on frames, (H, W, 3) uint8 BGR.

    `answers` are what `sam_answer` gave of them.
    Raises VerificationError where they do not agree with PyTorch, EngineError where they do not run.
    """
    encoder, decoder = (load(folder / names[part], usable_cores()) for part in ("encoder", "decoder"))
    graphs = MaskGenerator(encoder, decoder, _side(answers[0]), POINTS_PER_SIDE)
    pairs = zip((graph_answer(graphs, frame) for frame in frames), answers, strict=True)
    agreement = compare_answers(pairs, tolerance)
    if not agreement.passed:
        raise VerificationError(f"the graphs {' and '.join(names.values())} {agreement}; nothing was written")
    return agreement


def _side(answer: SamAnswer) -> int:
    """The encoder's input size."""
    return int(answer.masks.shape[-1]) * LOW_RESOLUTION


def graph_answer(graphs: MaskGenerator, frame: NDArray[np.uint8]) -> SamAnswer:
    """What the graphs make of `frame`, (H, W, 3) uint8 BGR, and the points of their grid."""
    embedding = graphs.embed(frame)
    height, width = frame.shape[:2]
    batches = [graphs.decoder({"embedding": embedding, "points": part}) for part in graphs.batches(height, width)]
    return SamAnswer(embedding, *(np.concatenate([batch[name] for batch in batches]) for name in ("masks", "iou")))


@torch.no_grad()
def sam_answer(sam: Sam, frame: NDArray[np.uint8], points_per_side: int = POINTS_PER_SIDE) -> SamAnswer:
    """What segment-anything's own modules make of `frame`, (H, W, 3) uint8 BGR, and a grid of points."""
    predictor = SamPredictor(sam)
    predictor.set_image(np.ascontiguousarray(frame[..., ::-1]))
    points = torch.from_numpy(_grid(predictor, points_per_side, *frame.shape[:2]))
    parts = [_decode(sam, predictor.features, part) for part in torch.split(points, _POINTS_AT_ONCE)]
    masks, iou = (torch.cat(kind).numpy() for kind in zip(*parts, strict=True))
    return SamAnswer(predictor.features.numpy(), masks, iou)


def _grid(predictor: SamPredictor, points_per_side: int, height: int, width: int) -> NDArray[np.float64]:
    """(P, 1, 2): a grid over the picture, in pixels of the encoder's input."""
    shares = (np.arange(points_per_side) + 0.5) / points_per_side
    pixels = np.stack(np.meshgrid(shares * width, shares * height), axis=-1).reshape(-1, 1, 2)
    return np.asarray(predictor.transform.apply_coords(pixels, (height, width)))


def _decode(sam: Sam, embedding: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    labels = torch.ones(points.shape[:2], dtype=torch.int)
    sparse, dense = sam.prompt_encoder(points=(points, labels), boxes=None, masks=None)
    masks, iou = sam.mask_decoder(embedding, sam.prompt_encoder.get_dense_pe(), sparse, dense, multimask_output=True)
    return masks, iou
