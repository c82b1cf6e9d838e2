"""A stand-in for ROS 2's rclpy, of the little that the node uses: a true participant of DDS, by cyclonedds.

Message packages come with it. Unlike rclpy it knows one node, no namespaces and no parameter files.
"""

import os
import signal
import sys
from types import ModuleType

import yaml

from ros_bags import ROS2

from .executors import ExternalShutdownException
from .messages import message_class
from .node import Arguments, Node

_WAIT_NS = 50_000_000


class _Context:
    is_up = False
    arguments = Arguments()


def init(*, args: list[str]) -> None:
    given = args[args.index("--ros-args") + 1 :] if "--ros-args" in args else []
    told = Arguments()
    for option, rule in zip(given[::2], given[1::2], strict=True):
        name, _, value = rule.partition(":=")
        if option == "-p":
            told.parameters[name] = yaml.safe_load(value)
        else:
            assert option == "-r", f"unknown ROS argument {option}"
            told.remappings[name] = value
    _Context.is_up, _Context.arguments = True, told
    signal.signal(signal.SIGTERM, lambda *_: _shut_down())


def _shut_down() -> None:
    _Context.is_up = False


def ok() -> bool:
    return _Context.is_up


def create_node(name: str) -> Node:
    return Node(name, _Context.arguments, int(os.environ["ROS_DOMAIN_ID"]))


def spin(node: Node) -> None:
    while ok():
        node.spin_once(_WAIT_NS)
    raise ExternalShutdownException


def try_shutdown() -> None:
    _shut_down()


def _add_message_packages() -> None:
    for name in ROS2.fielddefs:
        package, _, kind = name.split("/")
        module = sys.modules.setdefault(f"{package}.msg", ModuleType(f"{package}.msg"))
        sys.modules.setdefault(package, ModuleType(package))
        setattr(module, kind, message_class(name))


_add_message_packages()
