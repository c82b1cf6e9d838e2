"""Any PyTorch module of a user, made by a function, as the source of an export."""

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from torch import nn

from clipdepth.bundle.kind import METRIC
from clipdepth.bundle.manifest import Licence
from clipdepth.errors import UsageError
from clipdepth_export.source import ExportSource
from clipdepth_export.sources.asked import Asked, imported_source
from clipdepth_train.imported.framed import Framed

PREFIX = "python:"


def python_source(named: str, asked: Asked) -> ExportSource:
    """The network that the function of 'python:PACKAGE.MODULE:FUNCTION' returns.

    The function takes nothing and returns an `nn.Module` with its weights, which takes pictures, (N, 3, H, W) float32,
    RGB from 0 to 1, and gives (N, H, W) or (N, 1, H, W): metres, or what `asked` says. Modules of the working
    directory are found, as by `python -m`. Raises UsageError where there is no such function or no size was asked for.
    """
    network = _call(_find(named))
    told, name = asked.told, named.rpartition(":")[2]
    if told.size is None:
        raise UsageError(f"{named} does not say the size of its input; give --size HEIGHTxWIDTH")
    kind = told.kind or METRIC
    depth = told.metric_range(kind, None, name)
    module = Framed(network.cpu().eval(), depth=depth).requires_grad_(False).eval()
    licences = [Licence(name, told.licence)] if told.licence else []
    return imported_source(module, name, named, asked, told.size, kind, depth, licences)


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
