"""Roofline: what this machine can do at best, what a graph asks of it, and how far an engine is from that floor.

Williams, Waterman and Patterson, Roofline: an insightful visual performance model for multicore architectures, 2009.
`record` needs no package besides the runtime's, `measure` those of `require_packages`.
"""

from importlib.util import find_spec

from clipdepth.errors import MissingExtraError


def require_packages() -> None:
    """Raise MissingExtraError where a package that `measure` needs is not installed."""
    for package in ("onnx", "torch"):
        if find_spec(package) is None:
            raise MissingExtraError("the roofline", package, "export")
