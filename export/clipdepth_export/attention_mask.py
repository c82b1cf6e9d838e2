"""Attention without a mask, where the mask that PyTorch wrote hides nothing."""

from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray
from onnxscript.rewriter import rewrite
from onnxscript.rewriter.pattern import RewriteRule

from clipdepth_export.constants import constant


def drop_masks(model: ir.Model) -> None:
    """Replace a softmax of scores under a mask that is true everywhere by the softmax of the scores, in place.

    PyTorch also guards it against rows that are hidden whole, whose softmax is NaN; here there are none. TensorRT for
    RTX 1.7 takes the guard for a part of the attention in half, and cannot build it.
    """
    rewrite(model, [RewriteRule(_masked, _plain, _hides_nothing)])


def _masked(op: Any, scores: Any, mask: Any, zero: Any) -> Any:
    shares = op.Softmax(op.Add(scores, mask), _outputs=["shares"])
    return op.Where(op.IsNaN(shares), zero, shares)


def _hides_nothing(context: Any, mask: ir.Value, zero: ir.Value, **_: Any) -> bool:
    """Whether a mask, made once for all layers, is where(true, 0, ...)."""
    chosen = mask.producer()
    if chosen is None or chosen.op_type != "Where":
        return False
    seen, nothing, _hidden = (constant(value) for value in chosen.inputs)
    return seen is not None and bool(seen.all()) and _is_zero(nothing) and _is_zero(constant(zero))


def _plain(op: Any, scores: Any, shares: Any, **_: Any) -> Any:
    return op.Softmax(scores, axis=shares.producer().attributes.get_int("axis", -1))


def _is_zero(values: NDArray[Any] | None) -> bool:
    return values is not None and not values.any()
