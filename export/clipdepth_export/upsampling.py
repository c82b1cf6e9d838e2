"""The last upsampling of the depth, as two matrix products."""

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnxscript.rewriter import rewrite
from onnxscript.rewriter.pattern import RewriteRule


def upsample_by_products(model: ir.Model) -> None:
    """Replace the bilinear resize of a depth map, (N, 1, h, w) to (N, 1, H, W), by A·depth·B, in place.

    Bilinear interpolation is linear in rows and in columns. Engines resize one channel slowly (0.4 ms of 4 on two CPU
    cores), and multiply matrices fast (0.05 ms). Exact but for rounding.
    """
    rewrite(model, [RewriteRule(_resize, _products, _bilinear)])


def interpolation(size: int, larger: int) -> NDArray[np.float32]:
    """The matrix (larger, size) that interpolates linearly, corners not aligned, constant beyond the ends."""
    place = ((np.arange(larger) + 0.5) * size / larger - 0.5).clip(0, size - 1)
    below = place.astype(int)
    share = place - below
    matrix = np.zeros((larger, size))
    matrix[np.arange(larger), below] = 1 - share
    matrix[np.arange(larger), np.minimum(below + 1, size - 1)] += share
    return matrix.astype(np.float32)


def _resize(op: Any, x: Any, sizes: Any) -> Any:
    """To a given size; a resize by a factor may sample other places."""
    return op.Resize(x, None, None, sizes, mode="linear", _outputs=["y"])


def _bilinear(context: Any, x: ir.Value, y: Any, **_: Any) -> bool:
    """Whether a resize of one channel, its sides known, interpolates as `interpolation` does."""
    settings = y.producer().attributes
    return (
        bool(_sides(x) and _sides(y))
        and settings.get_string("coordinate_transformation_mode", "half_pixel") == "half_pixel"
        and settings.get_string("keep_aspect_ratio_policy", "stretch") == "stretch"
        and not settings.get_int("antialias", 0)
    )


def _sides(depth: ir.Value) -> tuple[int, int] | None:
    """Height and width of a depth map, (N, 1, H, W); None for all else."""
    match depth.shape and depth.shape.dims:
        case [_, 1, int(height), int(width)]:
            return height, width
    return None


def _products(op: Any, x: Any, y: Any, **_: Any) -> Any:
    height, width = (interpolation(*sizes) for sizes in zip(x.shape[2:], y.shape[2:], strict=True))
    rows = op.initializer(ir.tensor(height), f"{y.name}_rows")
    columns = op.initializer(ir.tensor(width.T.copy()), f"{y.name}_columns")
    wide = op.Einsum(x, columns, equation="nchw,wx->nchx")
    return op.Einsum(rows, wide, equation="yh,nchx->ncyx")
