"""Zero-shot depth from features by the paper's equations, in NumPy and in the steps of its code, for tests."""

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

CLASSES = ["giant", "extremely close", "close", "not in distance", "a little remote", "far", "unseen"]
DEPTHS = torch.tensor([1.00, 1.50, 2.00, 2.25, 2.50, 2.75, 3.00], dtype=torch.float64)


def text_of_seed(name: str, seed: int = 0) -> Tensor:
    """What the CLIP of a seed makes of the paper's seven prompts, (7, C) float64, not normalised."""
    torch.manual_seed(seed)
    clip = open_clip.create_model(name).eval()
    with torch.no_grad():
        text: Tensor = clip.encode_text(open_clip.tokenize([f"This object is {c}" for c in CLASSES]))
    return text.double()


def zero_shot_by_steps(features: Tensor, text: Tensor, temperature: float, all_channels: bool) -> Tensor:
    """Features (N, 2C, h, w) and text (7, C) to depth (N, h, w), one step of the authors' code after the other.

    With `all_channels` features get length 1 before every second channel is taken, as in DepthCLIP; without, after.
    """
    count, channels, height, width = features.shape
    places = features.double().reshape(count, channels, height * width).permute(0, 2, 1)
    if all_channels:
        places = places / places.norm(dim=2, keepdim=True)
    places = F.interpolate(places, scale_factor=0.5, mode="nearest")
    if not all_channels:
        places = places / places.norm(dim=2, keepdim=True)
    logits = places @ (text / text.norm(dim=1, keepdim=True)).T / temperature
    return (logits.softmax(dim=2) * DEPTHS).sum(dim=2).reshape(count, height, width)


def at_size(depth: Tensor, height: int, width: int) -> Tensor:
    """Depth (N, h, w) at another size, as the authors resize it."""
    return F.interpolate(depth[:, None], (height, width), mode="bilinear", align_corners=True)[:, 0]


def zero_shot(
    features: NDArray[np.float64], text: NDArray[np.float64], depths: NDArray[np.float64], temperature: float
) -> NDArray[np.float64]:
    """Equations 3 and 4, pixel by pixel: (C, h, w) features of as many channels as the text's (K, C)."""
    _, height, width = features.shape
    depth = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            pixel = features[:, y, x]
            cosine = np.array([pixel @ t / np.linalg.norm(pixel) / np.linalg.norm(t) for t in text])
            score = np.exp((cosine - cosine.max()) / temperature)
            depth[y, x] = (score / score.sum()) @ depths
    return depth


def aligned_bilinear(values: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Bilinear interpolation in which the corner pixels stay where they are."""
    rows = np.linspace(0, values.shape[0] - 1, height)
    columns = np.linspace(0, values.shape[1] - 1, width)
    wide = np.stack([np.interp(columns, np.arange(values.shape[1]), row) for row in values])
    return np.stack([np.interp(rows, np.arange(values.shape[0]), column) for column in wide.T], axis=1)
