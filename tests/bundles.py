"""A tiny real bundle for tests: its depth is 0.5 m plus 5 m times the brightness of a pixel."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from clipdepth.bundle.agreement import TOLERANCES, Agreement
from clipdepth.bundle.golden import Golden
from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.bundle.manifest import (
    MANIFEST,
    SCHEMA,
    Accuracy,
    DepthRange,
    Graph,
    InputSize,
    Licence,
    Manifest,
    Model,
    OtherSize,
    Precision,
    TrainingCamera,
)
from clipdepth.bundle.record import encode_record
from clipdepth.bundle.stored_file import stored_file

OPSET = 18
WEIGHTS = "weights.safetensors"
TERMS = "licences: graph: MIT\n"
"""What `clipdepth run` says of the bundle on stderr."""


def brightness_depth(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the graph computes, by numpy in float64: (..., 3) uint8 to (...) float32 metres."""
    return np.asarray(0.5 + frames.mean(axis=-1) / 255 * 5, np.float32)


def write_bundle(
    path: Path,
    height: int = 48,
    width: int = 64,
    *,
    precisions: tuple[Precision, ...] = ("fp32",),
    wrong_by: float = 1.0,
    tolerance: float = 1e-4,
    frames: int = 2,
    max_batch: int = 1,
    weights: bytes | None = None,
    accuracy: Sequence[Accuracy] = (),
    kind: DepthKind = METRIC,
    other_sizes: Sequence[tuple[int, int]] = (),
    confident: bool = False,
) -> Path:
    """Write a bundle into folder `path` and return it; the graphs' depth is `wrong_by` times the golden one.

    With another `kind` it says that its answer is of that; it was imported then, and knows no training camera.
    `other_sizes` are heights and widths after the first; each has its graphs and golden frames.
    With `confident` the graphs have confidence too, a pixel's brightness, and novelty, the frame's.
    """
    path.mkdir(parents=True, exist_ok=True)
    for number, (rows, columns) in enumerate([(height, width), *other_sizes]):
        of = f"{rows}x{columns}" if number else ""
        for precision in precisions:
            onnx.save(
                brightness_graph(rows, columns, wrong_by, max_batch, confident), path / _graph_file(precision, of)
            )
        _golden(rows, columns, frames, number, confident).save(path / _golden_file(of))
    if weights is not None:
        (path / WEIGHTS).write_bytes(weights)
    write_manifest(path, height, width, precisions, tolerance, max_batch, accuracy, kind, other_sizes, confident)
    return path


def write_manifest(
    path: Path,
    height: int,
    width: int,
    precisions: tuple[Precision, ...] = ("fp32",),
    tolerance: float = 1e-4,
    max_batch: int = 1,
    accuracy: Sequence[Accuracy] = (),
    kind: DepthKind = METRIC,
    other_sizes: Sequence[tuple[int, int]] = (),
    confident: bool = False,
) -> None:
    """Write the manifest of the graphs, the golden frames and the weights, if any, that lie in folder `path`."""
    found = (2, tolerance / 4, tolerance / 2, tolerance, True)
    limits = {name: replace(TOLERANCES[name], mean=tolerance) for name in precisions}
    sure = 0.0 if confident else None

    def stated(name: Precision) -> Agreement:
        return Agreement(*found, limits[name], confidence_change=sure, novelty_change=sure)

    def graphs(of: str) -> list[Graph]:
        return [Graph(_graph_file(name, of), name, OPSET, 2, stated(name)) for name in precisions]

    def other(rows: int, columns: int) -> OtherSize:
        of = f"{rows}x{columns}"
        return OtherSize(InputSize(rows, columns, max_batch), graphs(of), _golden_file(of))

    others = [other(*size) for size in other_sizes]
    weights = WEIGHTS if (path / WEIGHTS).is_file() else None
    names = [graph.file for each in [graphs(""), *(other.graphs for other in others)] for graph in each]
    names += [_golden_file(""), *(other.golden for other in others), *([weights] if weights else [])]
    manifest = Manifest(
        schema=SCHEMA,
        name="brightness",
        written_by={"clipdepth": "test"},
        model=_model(height, width, kind),
        input=InputSize(height, width, max_batch),
        depth=DepthRange(0.5, 5.5) if kind == METRIC else None,
        camera=TrainingCamera(width * 0.9, width * 0.9) if kind == METRIC else None,
        kind=kind,
        licences=[Licence("graph", "MIT")],
        graphs=graphs(""),
        golden=_golden_file(""),
        files={name: stored_file(path / name) for name in names},
        accuracy=list(accuracy),
        weights=weights,
        other_sizes=others,
        confidence=confident,
    )
    (path / MANIFEST).write_bytes(encode_record(manifest))


def brightness_confidence(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a confident graph computes besides: (..., 3) uint8 to (...) float32 from 0 to 1."""
    return np.asarray(frames.mean(axis=-1) / 255, np.float32)


def brightness_novelty(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a confident graph computes of whole frames: (..., H, W, 3) uint8 to (...) float32, 1 for a mean of 100."""
    return np.asarray(frames.mean(axis=(-3, -2, -1)) / 100, np.float32)


def brightness_graph(
    height: int, width: int, scale: float = 1.0, max_batch: int = 1, confident: bool = False
) -> onnx.ModelProto:
    """The graph: `frame`, uint8 (N, H, W, 3), to `depth`, float32 (N, H, W); N is 1 unless `max_batch` is more.

    With `confident` it gives `confidence`, likewise, and `novelty`, float32 (N,).
    """
    batch = 1 if max_batch == 1 else "batch"
    constants: dict[str, NDArray[Any]] = {
        "axis": np.array([3], np.int64),
        "metres": np.array(5 / 255 * scale, np.float32),
        "nearest": np.array(0.5 * scale, np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["frame"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axis"], ["brightness"], keepdims=0),
        helper.make_node("Mul", ["brightness", "metres"], ["farness"]),
        helper.make_node("Add", ["farness", "nearest"], ["depth"]),
    ]
    outputs = ["depth"]
    if confident:
        constants["white"] = np.array(255, np.float32)
        nodes.append(helper.make_node("Div", ["brightness", "white"], ["confidence"]))
        constants |= {"picture": np.array([1, 2], np.int64), "novel": np.array(100, np.float32)}
        nodes.append(helper.make_node("ReduceMean", ["brightness", "picture"], ["whole"], keepdims=0))
        nodes.append(helper.make_node("Div", ["whole", "novel"], ["novelty"]))
        outputs += ["confidence", "novelty"]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, [batch, height, width, 3])],
        [
            helper.make_tensor_value_info(
                name, TensorProto.FLOAT, [batch, height, width][: 1 if name == "novelty" else 3]
            )
            for name in outputs
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=10)


def _model(height: int, width: int, kind: DepthKind) -> Model:
    if kind == METRIC:
        return Model({"name": "brightness"}, 2, 8 * height * width, "0" * 64)
    return Model({}, 2, 8 * height * width, "0" * 64, "python:brightness:network")


def _graph_file(precision: str, size: str) -> str:
    return f"depth.{size}.{precision}.onnx" if size else f"depth.{precision}.onnx"


def _golden_file(size: str) -> str:
    return f"golden.{size}.npz" if size else "golden.npz"


def _golden(height: int, width: int, count: int, seed: int = 0, confident: bool = False) -> Golden:
    frames = np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    depth = brightness_depth(frames)
    truth = depth.copy()
    truth[:, : height // 4] = 0
    sure = (brightness_confidence(frames), brightness_novelty(frames)) if confident else ()
    return Golden(frames, depth, truth, None, *sure)
