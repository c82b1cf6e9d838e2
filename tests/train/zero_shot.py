"""Zero-shot depth from features by the paper's equations, in NumPy, for tests."""

import numpy as np
from numpy.typing import NDArray


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
