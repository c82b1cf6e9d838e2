"""`torch.compile`, without what it writes to the terminal by itself."""

import logging
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._inductor import config as inductor

from clipdepth.errors import EngineError
from clipdepth_bench.contender import first_line
from clipdepth_bench.families.torch_call import TorchCall
from clipdepth_train.quiet import quiet_logger


def compiled_call(
    model: nn.Module, device: torch.device, frame: NDArray[np.uint8], mode: str | None = None
) -> TorchCall:
    """Compile `model` for frames such as `frame`, (1, H, W, 3) uint8; `mode` is that of `torch.compile`.

    On the CPU inductor freezes the weights, so that it can lay them out for its kernels.

    Raises EngineError where inductor fails.
    """
    with quiet_logger("torch", logging.ERROR), inductor.patch(freezing=device.type == "cpu"):
        try:
            compiled: Callable[[Tensor], Tensor] = torch.compile(model, mode=mode, dynamic=False)
            call = TorchCall(compiled, device)
            for _ in range(3):  # CUDA graphs are warmed up, then recorded, then replayed
                call(frame)
        except Exception as error:  # what inductor raises shares no base class
            raise EngineError(f"torch.compile fails on this model: {first_line(error)}") from error
    return call
