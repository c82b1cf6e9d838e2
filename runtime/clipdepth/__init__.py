"""clipdepth on the device: bundles, engines, sources, metrics. Needs neither PyTorch nor ONNX.

import clipdepth
for frame, depth in clipdepth.stream("kitchen.bundle", 0):
    ...
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipdepth.depth_file import read_depth
    from clipdepth.streaming import stream

__all__ = ["__version__", "read_depth", "stream"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what is asked for on first use, so that `import clipdepth` stays light."""
    if name == "stream":
        from clipdepth.streaming import stream

        return stream
    if name == "read_depth":
        from clipdepth.depth_file import read_depth

        return read_depth
    raise AttributeError(f"module 'clipdepth' has no attribute '{name}'")
