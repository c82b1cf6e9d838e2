"""A tiny bundle made on the spot, to try engines with where there is no other: depth is a pixel's brightness."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.agreement import TOLERANCES, Agreement
from clipdepth.bundle.folder import Bundle, stored_file
from clipdepth.bundle.golden import Golden
from clipdepth.bundle.manifest import SCHEMA, DepthRange, Graph, InputSize, Manifest, Model, TrainingCamera
from clipdepth.files.atomic import atomic_file

HEIGHT, WIDTH = 240, 320
_FILE, _GOLDEN, _OPSET = "depth.fp32.onnx", "golden.npz", 18
_FLOAT, _UINT8, _INT64 = 1, 2, 7
"""ONNX's numbers of element types."""


def write_probe(folder: Path) -> Bundle:
    """Write the bundle's graph and golden frames into `folder`; it is never kept, so it has no manifest file."""
    with atomic_file(folder / _FILE) as partial:
        partial.write_bytes(probe_graph(HEIGHT, WIDTH))
    frames = np.random.default_rng(0).integers(0, 256, (2, HEIGHT, WIDTH, 3), dtype=np.uint8)
    depth = probe_depth(frames)
    Golden(frames, depth, np.zeros_like(depth)).save(folder / _GOLDEN)
    tolerance = TOLERANCES["fp32"]
    manifest = Manifest(
        schema=SCHEMA,
        name="probe",
        written_by={},
        model=Model({}, 1, 5 * HEIGHT * WIDTH, "0" * 64),
        input=InputSize(HEIGHT, WIDTH),
        depth=DepthRange(0.5, 5.5),
        camera=TrainingCamera(WIDTH, WIDTH),
        licences=[],
        graphs={"fp32": Graph(_FILE, _OPSET, 4, Agreement(2, 0.0, 0.0, 0.0, True, tolerance))},
        golden=_GOLDEN,
        files={name: stored_file(folder / name) for name in (_FILE, _GOLDEN)},
    )
    return Bundle(folder, manifest)


def probe_depth(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the graph computes: (N, H, W, 3) uint8 to (N, H, W) float32 metres, 0.5 m and 5 m times the brightness."""
    return np.asarray(0.5 + frames.mean(axis=-1) / 255 * 5, np.float32)


def probe_graph(height: int, width: int) -> bytes:
    """The graph as an ONNX file: protocol buffers, written out by hand since a device has no `onnx`."""
    nodes = (
        _node("Cast", ["frame"], "float", _integer_attribute("to", _FLOAT)),
        _node("ReduceMean", ["float", "axis"], "brightness", _integer_attribute("keepdims", 0)),
        _node("Mul", ["brightness", "metres"], "farness"),
        _node("Add", ["farness", "nearest"], "depth"),
    )
    constants = (
        _tensor("axis", _INT64, np.array([3], np.int64)),
        _tensor("metres", _FLOAT, np.float32(5 / 255)),
        _tensor("nearest", _FLOAT, np.float32(0.5)),
    )
    frame = _value("frame", _UINT8, (1, height, width, 3))
    depth = _value("depth", _FLOAT, (1, height, width))
    graph = b"".join((*(_field(1, node) for node in nodes), _field(2, b"probe"), *(_field(5, c) for c in constants)))
    graph += _field(11, frame) + _field(12, depth)
    return _field(1, 10) + _field(7, graph) + _field(8, _field(2, _OPSET))


def _node(kind: str, inputs: list[str], output: str, attribute: bytes = b"") -> bytes:
    names = b"".join(_field(1, name.encode()) for name in inputs) + _field(2, output.encode())
    return names + _field(4, kind.encode()) + (_field(5, attribute) if attribute else b"")


def _integer_attribute(name: str, value: int) -> bytes:
    return _field(1, name.encode()) + _field(3, value) + _field(20, 2)


def _tensor(name: str, kind: int, value: NDArray[np.int64] | np.float32) -> bytes:
    dimensions = b"".join(_field(1, length) for length in value.shape)
    return dimensions + _field(2, kind) + _field(8, name.encode()) + _field(9, value.tobytes())


def _value(name: str, kind: int, shape: tuple[int, ...]) -> bytes:
    dimensions = b"".join(_field(1, _field(1, length)) for length in shape)
    return _field(1, name.encode()) + _field(2, _field(1, _field(1, kind) + _field(2, dimensions)))


def _field(number: int, value: int | bytes) -> bytes:
    """One field of a message: a whole number, or bytes with their length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    digits = [value & 127]
    while value := value >> 7:
        digits.append(value & 127)
    return bytes([*(digit | 128 for digit in digits[:-1]), digits[-1]])
