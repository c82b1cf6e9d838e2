"""The operators that a device runs are those that the exporter writes: no more, and no fewer."""

from collections.abc import Callable, Sequence
from pathlib import Path

import onnx
import pytest
from torch import Tensor, nn, ones, zeros

from clipdepth.bundle.box import BOX, DEFAULT
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.graph_check import OPERATORS, OTHER_TRUNKS
from clipdepth.bundle.manifest import InputSize
from clipdepth_export.graph import proto_of, trace, trace_depth
from clipdepth_export.sam.exporter import trace_decoder, trace_encoder
from clipdepth_export.sam.precision import half_sam
from clipdepth_export.simplification import simplify
from clipdepth_export.sources.run import run_source
from clipdepth_train.segmentation import SamConfig, load_sam


def operators(*models: onnx.ModelProto) -> set[str]:
    assert not any(model.functions or {opset.domain for opset in model.opset_import} - {""} for model in models)
    return {node.op_type for model in models for node in model.graph.node}


def simplified(run: Path, max_batch: int) -> onnx.ModelProto:
    source = run_source(run)
    size = InputSize(source.height, source.width, max_batch)
    return simplify(proto_of(trace_depth(source.module, size, source.inputs, source.confident)))


@pytest.mark.slow
def test_the_list_is_what_all_models_have(
    export_once: Callable[[str], Bundle], kinds: Sequence[str], sam_run: Path
) -> None:
    bundles = [export_once(kind) for kind in kinds]
    found = operators(*(onnx.load(bundle.graph("fp32")) for bundle in bundles))
    found |= operators(*(simplified(bundle.path.with_suffix(""), 3) for bundle in bundles))
    found |= operators(*(simplified(sam_run, batch) for batch in (1, 3)))
    shipped = open_bundle(DEFAULT)
    assert {"fp16", "int8"} <= set(shipped.manifest.precisions)
    found |= operators(*(onnx.load(file) for file in BOX.glob("*/*.onnx")))
    sam = load_sam(SamConfig("mini", "none"))
    for program in (trace_encoder(sam), trace_decoder(sam)):
        graph = proto_of(program)
        found |= operators(graph, half_sam(graph))
    assert found == OPERATORS


class Activations(nn.Module):
    """What timm's trunks, the peers of the benchmark and the models of transformers compute besides."""

    def forward(self, x: Tensor) -> Tensor:
        """Turn (1, 4, 8, 8) into something."""
        functional = nn.functional
        for function in (functional.elu, functional.hardsigmoid, functional.hardswish, functional.leaky_relu):
            x = function(x)
        x = functional.softplus(functional.gelu(functional.silu(functional.relu6(x)), approximate="tanh")).exp()
        x = functional.group_norm(functional.prelu(x, ones(4) / 4), 2)
        first, second = functional.pad(x, (1, 1)).split(2, dim=1)
        x = functional.mish(first + second.isnan() + functional.adaptive_avg_pool2d(second, 1))
        return -x.log().reciprocal()


def test_what_other_trunks_have_besides() -> None:
    graph = proto_of(trace(Activations(), {"x": zeros(1, 4, 8, 8)}, ["y"]))
    assert operators(graph) - OPERATORS == OTHER_TRUNKS
    assert not OPERATORS & OTHER_TRUNKS
