"""ROS 2's messages as DDS carries them, for cyclonedds, made from rosbags' definitions."""

from dataclasses import dataclass
from functools import cache
from types import new_class
from typing import Any

from cyclonedds.core import Policy, Qos
from cyclonedds.idl import IdlStruct, annotations, types
from rosbags.interfaces import Nodetype

from ros_bags import ROS2

BEST_EFFORT = Qos(Policy.Reliability.BestEffort, Policy.History.KeepLast(1), Policy.Durability.Volatile)
RELIABLE = Qos(Policy.Reliability.Reliable(100_000_000), Policy.History.KeepLast(10), Policy.Durability.Volatile)
LOOPBACK = """<CycloneDDS><Domain><General><AllowMulticast>false</AllowMulticast>
<Interfaces><NetworkInterface name="lo" multicast="false"/></Interfaces></General>
<Discovery><ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>20</MaxAutoParticipantIndex>
<Peers><Peer address="127.0.0.1"/></Peers></Discovery></Domain></CycloneDDS>"""
"""For CYCLONEDDS_URI: nothing leaves this computer."""
_BASES = {"string": str, "bool": bool, "byte": types.uint8}


def fields_of(name: str) -> list[tuple[str, Any]]:
    """The fields of a type such as sensor_msgs/msg/Image, and what each is."""
    fields: list[tuple[str, Any]] = ROS2.fielddefs[name][1]
    return fields


@cache
def dds_type(name: str) -> Any:
    """The struct of a message type, named as ROS 2 names it in DDS: sensor_msgs::msg::dds_::Image_."""
    package, _, kind = name.split("/")
    annotated = {field: _annotation(what) for field, what in fields_of(name)}
    keywords = {"typename": f"{package}::msg::dds_::{kind}_"}
    made = new_class(kind, (IdlStruct,), keywords, lambda body: body.update(__annotations__=annotated))
    return annotations.final(dataclass(made))


def dds_of(message: Any, name: str) -> Any:
    """The struct of a message of rosbags' classes, or of others with the same fields."""
    return dds_type(name)(**{field: _value(getattr(message, field), what) for field, what in fields_of(name)})


def topic_name(topic: str) -> str:
    """What ROS 2 calls a topic in DDS."""
    return f"rt{topic}"


def _annotation(what: Any) -> Any:
    kind, of = what
    if kind == Nodetype.NAME:
        return dds_type(of)
    if kind == Nodetype.BASE:
        return _BASES.get(of[0]) or getattr(types, of[0])
    element, size = of
    return (
        types.sequence[_annotation(element)] if kind == Nodetype.SEQUENCE else types.array[_annotation(element), size]
    )


def _value(value: Any, what: Any) -> Any:
    kind, of = what
    if kind == Nodetype.NAME:
        return dds_of(value, of)
    if kind == Nodetype.BASE:
        return value[0] if isinstance(value, bytes) else value
    element, _ = of
    return (
        value.tolist()
        if element[0] == Nodetype.BASE and hasattr(value, "tolist")
        else [_value(each, element) for each in value]
    )
