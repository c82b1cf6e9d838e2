"""Batch norms folded into the convolutions before them."""

from collections import Counter
from collections.abc import Iterator

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norms(model: nn.Module, inputs: Tensor) -> int:
    """Fold each batch norm whose input is a convolution's output, in place, and give their number.

    `model` is in evaluation mode; one pass over `inputs` shows what follows what. A module that runs twice stays.
    """
    names = {module: name for name, module in model.named_modules()}
    count = 0
    for convolution, norm in _pairs(model, inputs):
        after = _after(norm)
        if after is None or norm.running_mean is None:
            continue
        fused = fuse_conv_bn_eval(convolution, norm)
        convolution.weight, convolution.bias = fused.weight, fused.bias
        model.set_submodule(names[norm], after)
        count += 1
    return count


def _pairs(model: nn.Module, inputs: Tensor) -> Iterator[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions and the batch norms that take their outputs, of which each runs once."""
    outputs: list[tuple[nn.Conv2d, Tensor]] = []  # kept alive: the memory of a freed one becomes another's
    given: list[tuple[nn.BatchNorm2d, Tensor]] = []
    hooks = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(lambda conv, _, output: outputs.append((conv, output))))
        elif isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_pre_hook(lambda norm, args: given.append((norm, args[0]))))
    try:
        with torch.inference_mode():
            model(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    runs = Counter(module for module, _ in [*outputs, *given])
    convolutions = {id(output): convolution for convolution, output in outputs}
    for norm, tensor in given:
        convolution = convolutions.get(id(tensor))
        if convolution is not None and runs[convolution] == runs[norm] == 1:
            yield convolution, norm


def _after(norm: nn.BatchNorm2d) -> nn.Module | None:
    """What a batch norm does besides: nothing, or timm's dropout and activation; None where it is not known."""
    if isinstance(norm, BatchNormAct2d):
        return nn.Sequential(norm.drop, norm.act)
    return nn.Identity() if type(norm) is nn.BatchNorm2d else None
