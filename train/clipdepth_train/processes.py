"""Sums and batch norms over all processes of a run, so that many of them learn what one would."""

from typing import Any, cast

import torch
import torch.distributed as dist
from timm.layers.norm_act import convert_sync_batchnorm
from torch import Tensor, nn


def sum_over_processes(value: Tensor) -> Tensor:
    """The sum of `value` over all processes; the gradient goes to each of them.

    Where every process derives its loss from such sums, the mean of their gradients, which is what data-parallel
    training takes, is the gradient of the loss of the whole batch.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return value
    total: Tensor = _Sum.apply(value)
    return total


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        # Every process has a loss of its own that depends on the sum.
        return _Sum.forward(ctx, *gradients)


class SharedFlag:
    """Whether any process has raised its flag: all hear of it at the same step, and none waits for its device.

    The flags meet on the CPUs while the next step is computed, so that a step later each process knows.
    """

    def __init__(self) -> None:
        shared = dist.is_initialized() and dist.get_world_size() > 1
        # A group of its own: that of the gradients is the GPUs'.
        self._group = cast(dist.ProcessGroup, dist.new_group(backend="gloo")) if shared else None
        self._asked: tuple[Tensor, dist.Work] | None = None

    def raised(self, mine: bool) -> bool:
        """Hand in this process's flag after a step; whether any was raised by the step before. Of one process its own.

        Every process has to ask after every step.
        """
        if self._group is None:
            return mine
        before, flags = self._asked, torch.tensor(float(mine))
        asking = dist.all_reduce(flags, group=self._group, async_op=True)
        assert asking is not None  # this process is of the group
        self._asked = flags, asking
        if before is None:
            return False
        asked, work = before
        work.wait()
        return bool(asked.item())


def mean_over_processes(values: Tensor, counted: Tensor) -> Tensor:
    """The mean of `values` where `counted`, both of one shape, over the batches of all processes; 0 of none."""
    total = sum_over_processes(torch.where(counted, values, 0).sum())
    return total / sum_over_processes(counted.sum().to(values.dtype)).clamp_min(1)


def share_batch_norms(model: nn.Module, device: torch.device) -> nn.Module:
    """The model with every batch norm normalising over the batches of all processes; it may be changed in place."""
    if device.type == "cuda":
        shared: nn.Module = convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return shared
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.__class__ = SharedBatchNorm2d
    return model


class SharedBatchNorm2d(nn.BatchNorm2d):
    """A batch norm over all processes where PyTorch's own SyncBatchNorm, which is for GPUs, does not run.

    Takes the place of BatchNorm2d or of timm's BatchNormAct2d, with all they hold.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        normal = self._normalised(x) if self.training else super().forward(x)
        for follows in ("drop", "act"):  # timm's
            if hasattr(self, follows):
                normal = getattr(self, follows)(normal)
        return normal

    def _normalised(self, x: Tensor) -> Tensor:
        values = x.float()
        count = sum_over_processes(values.new_tensor(values.numel() / values.shape[1]))
        mean = sum_over_processes(values.sum((0, 2, 3))) / count
        centred = values - mean[:, None, None]
        variance = sum_over_processes(centred.square().sum((0, 2, 3))) / count
        self._follow(mean.detach(), variance.detach() * count / (count - 1))
        normal = centred * torch.rsqrt(variance + self.eps)[:, None, None]
        return (normal * self.weight[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        self.num_batches_tracked += 1
