"""See rclpy.node: a node that is a participant of DDS."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic, time_ns
from types import SimpleNamespace
from typing import Any

from cyclonedds.core import InstanceState, Policy, Qos, ReadCondition, SampleState, ViewState, WaitSet
from cyclonedds.domain import DomainParticipant
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic

from dds_types import dds_of, dds_type, topic_name

from .exceptions import InvalidParameterTypeException
from .messages import Message, message_of
from .qos import QoSProfile, ReliabilityPolicy

Kind = type[Message]


@dataclass
class Arguments:
    """What follows --ros-args: -p NAME:=VALUE and -r FROM:=TO."""

    parameters: dict[str, Any] = field(default_factory=dict)
    remappings: dict[str, str] = field(default_factory=dict)


class Publisher:
    def __init__(self, writer: Any, kind: Kind) -> None:
        self._writer, self._kind = writer, kind

    def publish(self, message: Message) -> None:
        assert type(message) is self._kind
        self._writer.write(dds_of(message, self._kind.ros_name))


class Timer:
    def __init__(self, seconds: float, call: Callable[[], None]) -> None:
        self._seconds, self._call = seconds, call
        self._next = monotonic() + seconds

    def call_if_due(self) -> None:
        if monotonic() >= self._next:
            self._next += self._seconds
            self._call()


class Logger:
    def __init__(self, name: str) -> None:
        self._name = name

    def info(self, message: str) -> None:
        print(f"[INFO] [{self._name}]: {message}", file=sys.stderr, flush=True)  # noqa: T201

    def error(self, message: str) -> None:
        print(f"[ERROR] [{self._name}]: {message}", file=sys.stderr, flush=True)  # noqa: T201


class Node:
    def __init__(self, name: str, arguments: Arguments, domain: int) -> None:
        self._name = name
        self._arguments = arguments
        self._participant = DomainParticipant(domain)
        self._subscriptions: list[tuple[Any, Kind, Callable[[Any], None]]] = []
        self._timers: list[Timer] = []
        self._wait_set = WaitSet(self._participant)

    def get_name(self) -> str:
        return self._name

    def get_logger(self) -> Logger:
        return Logger(self._name)

    def get_clock(self) -> Any:
        return SimpleNamespace(now=lambda: SimpleNamespace(nanoseconds=time_ns()))

    def declare_parameter(self, name: str, value: Any, descriptor: Message) -> Any:
        assert descriptor.ros_name == "rcl_interfaces/msg/ParameterDescriptor"
        given = self._arguments.parameters.get(name, value)
        if type(given) is not type(value):
            raise InvalidParameterTypeException(f"Trying to set parameter '{name}' to '{given}' of another type")
        return SimpleNamespace(name=name, value=given)

    def resolve_topic_name(self, topic: str) -> str:
        whole = self._expanded(topic)
        remapped = {self._expanded(old): self._expanded(new) for old, new in self._arguments.remappings.items()}
        return remapped.get(whole, whole)

    def create_publisher(self, kind: Kind, topic: str, qos: QoSProfile | int) -> Publisher:
        return Publisher(DataWriter(self._participant, self._topic(kind, topic), _dds_qos(qos)), kind)

    def create_subscription(self, kind: Kind, topic: str, call: Callable[[Any], None], qos: QoSProfile | int) -> None:
        reader = DataReader(self._participant, self._topic(kind, topic), _dds_qos(qos))
        self._wait_set.attach(ReadCondition(reader, ViewState.Any | InstanceState.Alive | SampleState.NotRead))
        self._subscriptions.append((reader, kind, call))

    def create_timer(self, seconds: float, call: Callable[[], None]) -> None:
        self._timers.append(Timer(seconds, call))

    def spin_once(self, nanoseconds: int) -> None:
        """Wait for messages and hand them on; rclpy has this in its executors."""
        self._wait_set.wait(nanoseconds)
        for reader, kind, call in self._subscriptions:
            for sample in reader.take(N=1):
                if type(sample) is dds_type(kind.ros_name):  # else news of its writer's end
                    call(message_of(sample, kind.ros_name))
        for timer in self._timers:
            timer.call_if_due()

    def _topic(self, kind: Kind, topic: str) -> Any:
        return Topic(self._participant, topic_name(self.resolve_topic_name(topic)), dds_type(kind.ros_name))

    def _expanded(self, topic: str) -> str:
        if topic.startswith("~/"):
            return f"/{self._name}/{topic[2:]}"
        return topic if topic.startswith("/") else f"/{topic}"


def _dds_qos(qos: QoSProfile | int) -> Qos:
    profile = QoSProfile(depth=qos) if isinstance(qos, int) else qos
    reliable = profile.reliability == ReliabilityPolicy.RELIABLE
    reliability = Policy.Reliability.Reliable(100_000_000) if reliable else Policy.Reliability.BestEffort
    return Qos(reliability, Policy.History.KeepLast(profile.depth), Policy.Durability.Volatile)
