"""An optimizer's state as named tensors, so that a checkpoint needs no pickle."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

PREFIX = "optimizer."


def optimizer_tensors(optimizer: Any) -> dict[str, Tensor]:
    """The state of each parameter as `optimizer.INDEX.NAME`; what is None (no momentum yet) is left out."""
    state: dict[int, dict[str, Any]] = optimizer.state_dict()["state"]
    return {
        f"{PREFIX}{index}.{name}": torch.as_tensor(value)
        for index, values in state.items()
        for name, value in values.items()
        if value is not None
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` took from an optimizer of the same parameters."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(PREFIX):
            index, name = key.removeprefix(PREFIX).split(".", 1)
            state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    for parameter, values in optimizer.state.items():
        for name, value in values.items():
            if value.shape == parameter.shape:
                # In the parameter's own order in memory, which the fused optimizer takes for granted.
                values[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
