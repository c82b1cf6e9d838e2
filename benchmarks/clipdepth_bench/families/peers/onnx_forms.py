"""Peers on ONNX Runtime: fp32, and its own quantisers as people use them."""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from clipdepth_bench.families.peers.form import Form, Opened
from clipdepth_bench.families.peers.material import Material
from clipdepth_train.quiet import quiet_logger

Write = Callable[[Path, Path, Material], None]
"""Writes a quantised graph: from, to."""
_WEIGHTED = {"Conv", "Gemm", "MatMul"}


def _dynamic(graph: Path, path: Path, material: Material) -> None:
    """Activations are rounded anew for each picture: the files that the hub has as `model_quantized.onnx`."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(graph, path, weight_type=QuantType.QUInt8)


def _weighted(graph: Path, path: Path, material: Material) -> None:
    """As Ultralytics exports it: the layers with weights alone, everything else by default."""
    import onnx
    from onnxruntime.quantization import quantize_static

    others = [node.name for node in onnx.load(graph).graph.node if node.op_type not in _WEIGHTED]
    quantize_static(graph, path, _reader(material), nodes_to_exclude=others)


def _all(graph: Path, path: Path, material: Material) -> None:
    """As optimum does for CPUs with int8 instructions: unsigned activations, weights by channel, all it can round."""
    from onnxruntime.quantization import QuantType, quantize_static

    types = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
    quantize_static(graph, path, _reader(material), per_channel=True, **types)


def _reader(material: Material) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Pictures(CalibrationDataReader):  # type: ignore[misc]
        """Feeds the pictures one by one."""

        def __init__(self) -> None:
            self._left: Iterator[Any] = iter(material.frames)

        def get_next(self) -> dict[str, Any] | None:
            frame = next(self._left, None)
            return None if frame is None else {"frame": frame[None]}

    return Pictures()


def _prepared(material: Material) -> Path:
    """The fp32 graph as ONNX Runtime wants it before it is quantised: with shapes, simplified, constants folded."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    graph = material.graph()
    return material.file("prepared.onnx", lambda path: quant_pre_process(graph, path, skip_symbolic_shape=True))


def _open(material: Material, threads: int, name: str, write: Write) -> Opened:
    with quiet_logger("root", logging.ERROR):  # it advises on how to prepare a graph
        graph = material.file(f"{name}.onnx", lambda path: write(_prepared(material), path, material))
    return _load(graph, threads)


def _open_fp32(material: Material, threads: int) -> Opened:
    return _load(material.graph(), threads)


def _load(graph: Path, threads: int) -> Opened:
    from clipdepth.engines.onnxruntime_cpu import load_graph

    return Opened(load_graph(graph, threads), graph.stat().st_size)


FORMS = [
    Form("ONNX Runtime fp32", _open_fp32),
    Form("ONNX Runtime int8 dynamic", partial(_open, name="dynamic", write=_dynamic)),
    Form("ONNX Runtime int8 static, weighted layers", partial(_open, name="static-weighted", write=_weighted)),
    Form("ONNX Runtime int8 static", partial(_open, name="static", write=_all)),
]
