"""Batch norms folded into convolutions: the same answer from fewer modules."""

import pytest
import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn

from clipdepth_bench.families.folding import fold_batch_norms

INPUTS = torch.rand(1, 3, 9, 7, generator=torch.Generator().manual_seed(0))


class TwoWays(nn.Module):
    """A norm after a convolution, timm's with its activation after another, one that follows no convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)
        self.second, self.with_relu = nn.Conv2d(4, 4, 1, groups=2), BatchNormAct2d(4)
        self.alone = nn.BatchNorm2d(4)

    def forward(self, image: Tensor) -> Tensor:
        image = self.norm(self.first(image)).sigmoid()
        return self.alone(self.with_relu(self.second(image)) - 0.2)  # type: ignore[no-any-return]


class Shared(nn.Module):
    """One convolution that runs twice, each time before another norm."""

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.one, self.other = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, image: Tensor) -> Tensor:
        return self.other(self.shared(self.one(self.shared(image))))  # type: ignore[no-any-return]


def used(model: nn.Module) -> nn.Module:
    """The model with statistics as training leaves them, ready to run."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight, module.bias, module.running_mean, module.running_var):
                nn.init.uniform_(values, 0.5, 2)
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize(("model", "folded", "left"), [(TwoWays(), 2, ["alone"]), (Shared(), 0, ["one", "other"])])
def test_norms_after_convolutions_are_gone_and_the_answer_is_the_same(
    model: nn.Module, folded: int, left: list[str]
) -> None:
    before = used(model)(INPUTS)
    assert before.std() > 0.01
    assert fold_batch_norms(model, INPUTS) == folded
    assert [name for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)] == left
    torch.testing.assert_close(model(INPUTS), before)
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_it_looks_at_the_model_without_a_trace() -> None:
    model = used(TwoWays())
    fold_batch_norms(model, INPUTS)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
