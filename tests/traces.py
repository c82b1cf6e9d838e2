"""Torch's traces of networks, kept: each takes seconds, and tests export the same few networks again and again."""

import hashlib
from collections.abc import Callable
from io import BytesIO
from pickle import PicklingError
from typing import Any

import torch
from torch import nn

Export = Callable[..., torch.onnx.ONNXProgram]


class KeptTraces:
    """`torch.onnx.export`, which traces a network that has the same weights, inputs and options once."""

    def __init__(self, export: Export) -> None:
        self._export = export
        self._kept: dict[tuple[str, frozenset[type]], torch.onnx.ONNXProgram] = {}

    def __call__(self, module: nn.Module, inputs: tuple[torch.Tensor, ...], **options: Any) -> torch.onnx.ONNXProgram:
        """See `torch.onnx.export`."""
        try:
            key = _digest((module, inputs, options)), frozenset(type(part) for part in module.modules())
        except (AttributeError, PicklingError, TypeError):  # a class or a function within a test
            return self._export(module, inputs, **options)
        if key not in self._kept:
            self._kept[key] = self._export(module, inputs, **options)
        return self._kept[key]


def _digest(traced: object) -> str:
    stored = BytesIO()
    torch.save(traced, stored)
    return hashlib.sha256(stored.getbuffer()).hexdigest()
