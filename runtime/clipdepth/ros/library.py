"""ROS 2's Python library and message classes. They come with ROS 2, not from PyPI."""

import sys
from array import array
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import MissingLibraryError

_MESSAGES = ("builtin_interfaces", "std_msgs", "sensor_msgs", "diagnostic_msgs", "rcl_interfaces")
_PYTHONS = "Humble has Python 3.10, Jazzy and Kilted have 3.12"


def require_ros() -> None:
    """Raise MissingLibraryError where rclpy or its messages cannot be imported."""
    try:
        import_module("rclpy")
        for package in _MESSAGES:
            import_module(f"{package}.msg")
    except ImportError as error:
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        why = str(error).partition("\n")[0]
        raise MissingLibraryError(
            f"the ROS 2 node needs rclpy and ROS's messages, which Python {python} cannot import here ({why}); source "
            f"a ROS 2 setup, such as /opt/ros/jazzy/setup.bash, and use the Python it is built for: {_PYTHONS}"
        ) from None


def message_type(name: str) -> Any:
    """The class of a message type such as 'sensor_msgs/msg/Image'."""
    package, _, kind = name.split("/")
    return getattr(import_module(f"{package}.msg"), kind)


def as_sequence(values: NDArray[np.generic]) -> Any:
    """An array of one axis as rclpy takes it without looking at each element."""
    return array(values.dtype.char, values.tobytes())
