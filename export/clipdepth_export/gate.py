"""The gate: a graph whose depth is not PyTorch's comes into no bundle."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import onnx

from clipdepth.bundle.agreement import Agreement, Tolerance
from clipdepth.bundle.answer import Answer
from clipdepth.bundle.golden import Golden
from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.engines import Engine, infer_golden, measure_agreement, usable_cores
from clipdepth.engines.onnxruntime_cpu import load_graph
from clipdepth.errors import VerificationError

Result = TypeVar("Result")


def judge(
    graph: onnx.ModelProto | Path, reference: Golden, tolerance: Tolerance, kind: DepthKind = METRIC
) -> Agreement:
    """Run a graph on frames with the engine that devices use, and compare with PyTorch's answers of that kind."""
    return with_engine(graph, lambda engine: measure_agreement(engine.infer, reference, tolerance, kind))


def answer_to(graph: onnx.ModelProto | Path, frames: Golden) -> Answer:
    """What a graph answers to frames, (N, H, W)."""
    return with_engine(graph, lambda engine: infer_golden(engine.infer, frames))


def with_engine(graph: onnx.ModelProto | Path, use: Callable[[Engine], Result]) -> Result:
    """What `use` makes of a graph loaded on ONNX Runtime."""
    if isinstance(graph, onnx.ModelProto):
        with TemporaryDirectory() as folder:
            path = Path(folder) / "graph.onnx"
            onnx.save_model(graph, path)
            return with_engine(path, use)
    with closing(load_graph(graph, usable_cores())) as engine:
        return use(engine)


def require_agreement(
    precision: str, agreements: Sequence[Agreement], worst: Callable[[], Sequence[object]]
) -> Agreement:
    """Return the first of a graph's agreements; raises VerificationError, naming the worst layers, where one failed."""
    failed = next((agreement for agreement in agreements if not agreement.passed), None)
    if failed is None:
        return agreements[0]
    layers = ", ".join(str(layer) for layer in worst())
    raise VerificationError(f"the {precision} graph {failed}; worst layers: {layers}")
