"""Choosing golden frames and asking PyTorch for their depth."""

import numpy as np
import torch

from clipdepth.golden import Golden
from clipdepth.resize import resize_frame, resize_measured_depth
from clipdepth_train.data.sample import RgbdSet, evenly_spread
from clipdepth_train.data.transforms import test_pair
from clipdepth_train.depth_model import DepthModel
from clipdepth_train.recipe import DataConfig

MOST_FRAMES, FEWEST_FRAMES = 8, 2
MOST_BYTES = 4_000_000
BYTES_A_PIXEL = 3 + 4 + 2


def golden_frames(model: DepthModel, tests: RgbdSet, frames: DataConfig) -> Golden:
    """Up to 8 test frames, evenly spread, with `model`'s depth in fp32; fewer where 8 would take over 4 MB."""
    fitting = MOST_BYTES // (frames.height * frames.width * BYTES_A_PIXEL)
    count = min(MOST_FRAMES, max(FEWEST_FRAMES, fitting))
    pairs = [test_pair(tests[i], frames) for i in evenly_spread(len(tests), count)]
    size = (frames.height, frames.width)
    pictures = np.stack([resize_frame(np.ascontiguousarray(pair.frame), *size) for pair in pairs])
    truth = np.stack([resize_measured_depth(np.ascontiguousarray(pair.depth), *size) for pair in pairs])
    with torch.no_grad():
        depth = torch.cat([model(torch.from_numpy(picture)[None]) for picture in pictures])
    return Golden(pictures, depth.numpy().astype(np.float32), truth)
