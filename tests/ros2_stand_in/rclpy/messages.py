"""Message classes that take what those of ROS 2 for Python take, and refuse what these refuse."""

from array import array
from functools import cache
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype

from dds_types import fields_of
from ros_bags import ROS2

_CODES = {"uint8": "B", "float64": "d"}
_DEFAULTS: dict[str, Any] = {"string": "", "bool": False, "byte": b"\0", "float64": 0.0}


class Message:
    """A message; its class has the name of its type and the type's constants."""

    ros_name = ""

    def __init__(self, **given: Any) -> None:
        fields = dict(fields_of(self.ros_name))
        assert given.keys() <= fields.keys(), f"Invalid arguments passed to constructor: {given.keys() - fields.keys()}"
        for name, what in fields.items():
            value = given[name] if name in given else _default(what)
            assert _fits(value, what), f"The '{name}' field of {self.ros_name} must not be {value!r:.80}"
            setattr(self, name, value)


@cache
def message_class(name: str) -> type[Message]:
    """The class of a type such as sensor_msgs/msg/Image."""
    constants = {key: bytes([value]) if kind == "byte" else value for key, kind, value in ROS2.fielddefs[name][0]}
    return type(name.rpartition("/")[2], (Message,), {"ros_name": name, **constants})


def message_of(sample: Any, name: str) -> Message:
    """The message of a struct that DDS brought."""
    return message_class(name)(**{field: _taken(getattr(sample, field), what) for field, what in fields_of(name)})


def _taken(value: Any, what: Any) -> Any:
    kind, of = what
    if kind == Nodetype.NAME:
        return message_of(value, of)
    if kind == Nodetype.BASE:
        return bytes([value]) if of[0] == "byte" else value
    element, _ = of
    if element[0] == Nodetype.NAME:
        return [message_of(each, element[1]) for each in value]
    code = _CODES[element[1][0]]
    return array(code, value) if kind == Nodetype.SEQUENCE else np.array(value, code)


def _default(what: Any) -> Any:
    kind, of = what
    if kind == Nodetype.NAME:
        return message_class(of)()
    if kind == Nodetype.BASE:
        return _DEFAULTS.get(of[0], 0)
    element, size = of
    if kind == Nodetype.ARRAY:
        return np.zeros(size, _CODES[element[1][0]])
    return [] if element[0] == Nodetype.NAME else array(_CODES.get(element[1][0], "B"))


def _fits(value: Any, what: Any) -> bool:
    kind, of = what
    if kind == Nodetype.NAME:
        return isinstance(value, message_class(of))
    if kind == Nodetype.BASE:
        return _base_fits(value, of[0])
    element, size = of
    if element[0] == Nodetype.NAME:
        return isinstance(value, list) and all(isinstance(each, message_class(element[1])) for each in value)
    code = _CODES.get(element[1][0])
    if kind == Nodetype.ARRAY:
        return isinstance(value, np.ndarray) and value.dtype.char == code and value.shape == (size,)
    # Other sequences are taken too, after a look at each element: for pictures that takes seconds.
    return isinstance(value, array) and code in (None, value.typecode)


def _base_fits(value: Any, base: str) -> bool:
    if base in ("string", "bool", "float64"):
        return isinstance(value, {"string": str, "bool": bool, "float64": float}[base])
    if base == "byte":
        return isinstance(value, bytes) and len(value) == 1
    bits = int(base.lstrip("uint"))
    low, high = (0, 2**bits) if base.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    return isinstance(value, int) and low <= value < high
