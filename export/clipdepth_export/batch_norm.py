"""Batch norms that no convolution could take in, as one multiplication and one addition."""

from typing import Any

import numpy as np
import onnx_ir as ir
from onnxscript.rewriter import rewrite
from onnxscript.rewriter.pattern import RewriteRule


def fold_batch_norms(model: ir.Model) -> None:
    """Replace what is left of BatchNormalization, y = γ (x - μ) / √(σ² + ε) + β, by y = a x + b, in place."""
    rewrite(model, [RewriteRule(_batch_norm, _scale_and_shift)])


def _batch_norm(op: Any, x: Any, gamma: Any, beta: Any, mean: Any, variance: Any) -> Any:
    return op.BatchNormalization(x, gamma, beta, mean, variance, _outputs=["y"])


def _scale_and_shift(op: Any, x: Any, gamma: Any, beta: Any, mean: Any, variance: Any, y: Any) -> Any:
    g, b, m, v = (value.const_value.numpy().astype(np.float64) for value in (gamma, beta, mean, variance))
    scale = g / np.sqrt(v + y.producer().attributes.get_float("epsilon", 1e-5))
    shape = (-1,) + (1,) * (len(y.shape) - 2)
    held = {f"{y.name}_scale": scale, f"{y.name}_shift": b - m * scale}
    by, to = (op.initializer(ir.tensor(n.astype(np.float32).reshape(shape)), name) for name, n in held.items())
    return op.Add(op.Mul(x, by), to)
