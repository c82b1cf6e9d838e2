"""Any PyTorch module of a user, made by a function."""

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from torch import nn

from clipdepth.bundle.manifest import DepthRange
from clipdepth.errors import UsageError
from clipdepth_train.imported.framed import Framed

PREFIX = "python:"


def load_python(named: str, depth: DepthRange | None) -> Framed:
    """The network that the function of 'python:PACKAGE.MODULE:FUNCTION' returns, behind the frame contract, on the CPU.

    The function takes nothing and returns an `nn.Module` with its weights, which takes pictures, (N, 3, H, W) float32,
    RGB from 0 to 1, and gives (N, H, W) or (N, 1, H, W) at any size. Modules of the working directory are found, as by
    `python -m`. Raises UsageError where there is no such function.
    """
    network = _call(_find(named))
    return Framed(network.cpu().eval(), depth=depth).requires_grad_(False).eval()


def _find(named: str) -> Callable[[], Any]:
    path, _, function = named.removeprefix(PREFIX).partition(":")
    if not path or not function:
        raise UsageError(f"'{named}' names no function; write python:PACKAGE.MODULE:FUNCTION")
    if os.getcwd() not in sys.path and "" not in sys.path:  # noqa: PTH109 (sys.path holds strings)
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        raise UsageError(f"'{named}': there is no module {error.name}; run it where Python finds it") from None
    found = getattr(module, function, None)
    if not callable(found):
        raise UsageError(f"'{named}': {path} has no function {function}")
    return found  # type: ignore[no-any-return]


def _call(function: Callable[[], Any]) -> nn.Module:
    network = function()
    if not isinstance(network, nn.Module):
        raise UsageError(f"{function.__name__} returns a {type(network).__name__}; return a torch.nn.Module")
    return network
