"""What engines do not simplify by themselves in a graph that PyTorch wrote."""

import onnx

from clipdepth_export.batch_norm import fold_batch_norms
from clipdepth_export.picture import fold_picture
from clipdepth_export.upsampling import upsample_by_products


def simplify(model: onnx.ModelProto) -> None:
    """Rewrite the graph in place to one that computes the same with less."""
    fold_batch_norms(model)
    fold_picture(model)
    upsample_by_products(model)
