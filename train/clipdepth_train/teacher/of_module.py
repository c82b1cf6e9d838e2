"""A PyTorch module behind the frame contract, asked picture by picture."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from clipdepth_train.teacher.teacher import Answer


def asked_in_turn(module: nn.Module, device: torch.device) -> Answer:
    """What `module`, which lies on `device`, answers to a picture; in half precision on a GPU."""

    @torch.no_grad()
    def answer(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.autocast(device.type, torch.float16, enabled=device.type == "cuda"):
            depth = module(torch.from_numpy(frame)[None].to(device))
        found: NDArray[np.float32] = depth[0].float().cpu().numpy()
        return found

    return answer
