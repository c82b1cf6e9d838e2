"""Automatic masks in NumPy against segment-anything's own generator, on the same weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from segment_anything.modeling import Sam
from segment_anything.utils.transforms import ResizeLongestSide

from clipdepth.engines.sam.generator import MaskGenerator
from clipdepth.rooms import Room, default_intrinsics
from clipdepth_export.sam.graphs import SamDecoder, SamEncoder
from tiny_sam import best_overlaps, lively_sam, own_masks

POINTS = 8
Arrays = Mapping[str, NDArray[Any]]


@pytest.fixture(scope="module")
def sam() -> Sam:
    return lively_sam()


def generator(sam: Sam, **settings: Any) -> MaskGenerator:
    """Ours, around PyTorch modules instead of graphs."""
    encoder, decoder = SamEncoder(sam), SamDecoder(sam)

    @torch.no_grad()
    def encode(inputs: Arrays) -> Arrays:
        return {"embedding": encoder(torch.from_numpy(inputs["frame"]), torch.from_numpy(inputs["size"])).numpy()}

    @torch.no_grad()
    def decode(inputs: Arrays) -> Arrays:
        masks, iou = decoder(torch.from_numpy(inputs["embedding"]), torch.from_numpy(inputs["points"]))
        return {"masks": masks.numpy(), "iou": iou.numpy()}

    return MaskGenerator(encode, decode, 128, POINTS, **settings)


def view(height: int, width: int) -> NDArray[np.uint8]:
    return Room(0).render(0, default_intrinsics(height, width)).frame


@pytest.mark.parametrize("size", [(61, 127), (90, 61), (128, 128), (200, 301)])
@pytest.mark.parametrize("thresholds", [(0.0, 0.0), (0.02, 0.0), (0.0, 0.05), (0.02, 0.05)])
def test_masks_are_those_of_segment_anything(sam: Sam, size: tuple[int, int], thresholds: tuple[float, float]) -> None:
    frame = view(*size)
    expected = own_masks(sam, frame, POINTS, *thresholds)
    masks = generator(sam, pred_iou_thresh=thresholds[0], stability_score_thresh=thresholds[1])(frame)
    assert masks.dtype == np.bool_
    assert masks.shape == expected.shape
    assert len(masks) > 1
    assert best_overlaps(masks, expected).mean() > 0.999
    assert best_overlaps(expected, masks).mean() > 0.999


def test_each_filter_removes_masks(sam: Sam) -> None:
    frame = view(61, 127)
    every, good, stable, both = (
        len(generator(sam, pred_iou_thresh=iou, stability_score_thresh=stability)(frame))
        for iou, stability in ((0.0, 0.0), (0.02, 0.0), (0.0, 0.05), (0.02, 0.05))
    )
    assert every < 3 * POINTS**2  # non-maximum suppression
    assert every > good
    assert every > stable
    assert min(good, stable) >= both


def test_the_best_mask_comes_first(sam: Sam) -> None:
    frame = view(61, 127)
    masks = generator(sam, pred_iou_thresh=0.0, stability_score_thresh=0.0)(frame)
    expected = own_masks(sam, frame, POINTS, 0.0, 0.0)
    assert best_overlaps(masks[:1], expected[:1])[0] > 0.999


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_the_batch_does_not_matter(sam: Sam, batch: int) -> None:
    settings = {"pred_iou_thresh": 0.0, "stability_score_thresh": 0.0}
    frame = view(61, 127)
    expected = generator(sam, **settings)(frame)
    masks = generator(sam, points_per_batch=batch, **settings)(frame)
    assert masks.shape == expected.shape
    assert best_overlaps(masks, expected).mean() > 0.999


def test_a_frame_without_masks(sam: Sam) -> None:
    masks = generator(sam, pred_iou_thresh=1.0)(view(61, 127))
    assert masks.shape == (0, 61, 127)
    assert masks.dtype == np.bool_


@pytest.mark.parametrize(("height", "width"), [(61, 127), (127, 61), (480, 640)])
def test_points_lie_where_segment_anything_puts_them(sam: Sam, height: int, width: int) -> None:
    ours = generator(sam).points(height, width)
    centres = (np.arange(POINTS) + 0.5) / POINTS
    grid = np.array([[x * width, y * height] for y in centres for x in centres])
    np.testing.assert_allclose(ours, ResizeLongestSide(128).apply_coords(grid, (height, width)), rtol=1e-6)
    assert ours.dtype == np.float32


def test_the_encoder_sees_the_picture_in_the_corner() -> None:
    seen: list[Arrays] = []

    def encode(inputs: Arrays) -> Arrays:
        seen.append(inputs)
        return {"embedding": np.zeros((1, 1, 8, 8), np.float32)}

    frame = view(32, 64)
    MaskGenerator(encode, encode, 128).embed(frame)
    padded = seen[0]["frame"]
    assert padded.shape == (1, 128, 128, 3)
    assert seen[0]["size"].tolist() == [64, 128]
    assert np.array_equal(padded[0, :64], ResizeLongestSide(128).apply_image(frame))
    assert not padded[0, 64:].any()
