"""What engines do not simplify by themselves in a graph that PyTorch wrote."""

import onnx
import onnx_ir as ir

from clipdepth_export.attention_mask import drop_masks
from clipdepth_export.batch_norm import fold_batch_norms
from clipdepth_export.expectation import expect_last
from clipdepth_export.picture import fold_picture
from clipdepth_export.upsampling import upsample_by_products


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """A graph that computes the same with less."""
    graph = ir.from_proto(model)
    fold_batch_norms(graph)
    drop_masks(graph)
    fold_picture(graph)
    expect_last(graph)
    upsample_by_products(graph)
    return ir.to_proto(graph)
