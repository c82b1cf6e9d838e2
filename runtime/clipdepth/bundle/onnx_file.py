"""What an ONNX file asks an engine to do, read without `onnx`: its operators, their domains and the files of weights.

ONNX is protocol buffers, https://protobuf.dev/programming-guides/encoding. Only the fields that a graph of the exporter
has are known here; all others are refused, so that no engine reads what was not looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clipdepth.errors import ClipdepthError

Value = int | memoryview
"""Of a field: a whole number, or bytes."""

_MOST_FIELDS = 1_000_000
"""A bound on the time it takes: the largest Segment Anything has a tenth."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_EXTERNAL = 1
_INPUT, _OUTPUT, _NAME, _OPERATOR = 1, 2, 3, 4

# The numbers of fields, from onnx.proto, that hold nothing to look at.
_MODEL = frozenset({1, 2, 3, 4, 5, 6, 14})
_GRAPH = frozenset({2, 10, 11, 12, 13, 16})
_NODE = frozenset({6, 9})
_ATTRIBUTE = frozenset({1, 2, 3, 4, 7, 8, 9, 13, 20})
_TENSOR = frozenset({1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16})
_NAMES = {
    ("model", 20): "training",
    ("model", 25): "local functions",
    ("graph", 15): "sparse weights",
    ("node", 8): "overloads",
    ("attribute", 6): "subgraphs",
    ("attribute", 11): "subgraphs",
    ("attribute", 22): "sparse weights",
    ("attribute", 23): "sparse weights",
}


class OnnxFileError(ClipdepthError, ValueError):
    """A file is no ONNX, or has more than a graph and its weights. The message is a clause: 'it has subgraphs'."""


@dataclass(frozen=True)
class Node:
    """An operation of the graph; tensors are named, '' where an input is left out."""

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class OnnxFile:
    """The parts of an ONNX file that name what an engine is to load."""

    def __init__(self, path: Path) -> None:
        """Read the file at `path`; raises OnnxFileError where it has what no exported graph has."""
        self.nodes: list[Node] = []
        """In an order in which they can run."""
        self.domains: set[str] = set()
        """Where operators come from: '' is ONNX itself."""
        self.files: set[str] = set()
        """Where weights lie that are not inside, as it says itself."""
        self._left = _MOST_FIELDS
        size = path.stat().st_size
        self._model(np.memmap(path, np.uint8, "r").data if size else memoryview(b""))

    @property
    def operators(self) -> set[str]:
        """Every node's operator."""
        return {node.operator for node in self.nodes}

    def _model(self, data: memoryview) -> None:
        graphs = 0
        for number, value in self._fields(data):
            if number == 7:
                graphs += 1
                self._graph(_bytes(value))
            elif number == 8:
                self._opset(_bytes(value))
            else:
                _require(number, _MODEL, "model")
        if graphs != 1:
            raise OnnxFileError("it is no ONNX file")

    def _opset(self, data: memoryview) -> None:
        domains = [_text(value) for number, value in self._fields(data) if number == 1]
        self.domains.update(domains or [""])

    def _graph(self, data: memoryview) -> None:
        for number, value in self._fields(data):
            if number == 1:
                self._node(_bytes(value))
            elif number == 5:
                self._tensor(_bytes(value))
            else:
                _require(number, _GRAPH, "graph")

    def _node(self, data: memoryview) -> None:
        texts: dict[int, list[str]] = {number: [] for number in (_INPUT, _OUTPUT, _NAME, _OPERATOR)}
        for number, value in self._fields(data):
            if number in texts:
                texts[number].append(_text(value))
            elif number == 7:
                self.domains.add(_text(value))
            elif number == 5:
                self._attribute(_bytes(value))
            else:
                _require(number, _NODE, "node")
        if len(texts[_OPERATOR]) != 1:
            raise OnnxFileError(f"a node has {len(texts[_OPERATOR])} operators")
        (operator,), names = texts[_OPERATOR], texts[_NAME] or [""]
        self.nodes.append(Node(names[-1], operator, tuple(texts[_INPUT]), tuple(texts[_OUTPUT])))

    def _attribute(self, data: memoryview) -> None:
        for number, value in self._fields(data):
            if number in (5, 10):
                self._tensor(_bytes(value))
            else:
                _require(number, _ATTRIBUTE, "attribute")

    def _tensor(self, data: memoryview) -> None:
        entries, external = [], False
        for number, value in self._fields(data):
            if number == 13:
                entries.append(self._entry(_bytes(value)))
            elif number == 14:
                external = external or value == _EXTERNAL
            else:
                _require(number, _TENSOR, "tensor")
        locations = [value for key, value in entries if key == "location"]
        if len(locations) != (1 if external or entries else 0):
            raise OnnxFileError(f"a weight states {len(locations)} files it lies in")
        self.files.update(locations)

    def _entry(self, data: memoryview) -> tuple[str, str]:
        """A pair of texts, of which the last counts where one is there twice."""
        found = {number: _text(value) for number, value in self._fields(data)}
        return found.get(1, ""), found.get(2, "")

    def _fields(self, data: memoryview) -> Iterator[tuple[int, Value]]:
        """Each field's number and value in turn."""
        offset, end = 0, len(data)
        while offset < end:
            self._left -= 1
            if self._left < 0:
                raise OnnxFileError(f"it has more than {_MOST_FIELDS:,} fields")
            tag, offset = _varint(data, offset)
            number, kind = tag >> 3, tag & 7
            if kind == _VARINT:
                value, offset = _varint(data, offset)
                yield number, value
                continue
            if kind == _BYTES:
                length, offset = _varint(data, offset)
            elif kind in (_FIXED64, _FIXED32):
                length = 8 if kind == _FIXED64 else 4
            else:
                raise OnnxFileError("it is no ONNX file")
            if not number or length > end - offset:
                raise OnnxFileError("it is no ONNX file, or was cut short")
            yield number, data[offset : offset + length]
            offset += length


def _varint(data: memoryview, offset: int) -> tuple[int, int]:
    """A whole number, seven bits a byte, and where it ends."""
    value = 0
    for position, byte in enumerate(data[offset : offset + 10]):
        value |= (byte & 127) << 7 * position
        if byte < 128:
            return value, offset + position + 1
    raise OnnxFileError("it is no ONNX file, or was cut short")


def _bytes(value: Value) -> memoryview:
    if isinstance(value, int):
        raise OnnxFileError("it is no ONNX file")
    return value


def _text(value: Value) -> str:
    try:
        return bytes(_bytes(value)).decode()
    except UnicodeDecodeError:
        raise OnnxFileError("a name in it is no text") from None


def _require(number: int, known: frozenset[int], part: str) -> None:
    if number not in known:
        raise OnnxFileError(f"it has {_NAMES.get((part, number), f'field {number} of a {part}')}")
