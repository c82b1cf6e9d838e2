"""The parameters of the ROS 2 node."""

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from clipdepth.camera.camera import Camera
from clipdepth.cli.arguments import BUNDLE_HELP
from clipdepth.engines import AUTO, ENGINES
from clipdepth.errors import UsageError
from clipdepth.ros.library import message_type
from clipdepth.sources.ros.topics import COMPRESSED, IMAGE

RAW = "raw"
TRANSPORTS = {RAW: IMAGE, "compressed": COMPRESSED}
"""How pictures come, and in messages of which type."""


def _parameter(default: Any, description: str) -> Any:
    return field(default=default, metadata={"description": description})


@dataclass(frozen=True)
class Parameters:
    """What the node is told; the names, defaults and descriptions are those of its ROS parameters.

    Raises UsageError for values that cannot be.
    """

    bundle: str = _parameter("", BUNDLE_HELP)
    engine: str = _parameter(AUTO, f"{AUTO}: the fastest that works here, or one of {', '.join(ENGINES)}")
    precision: str = _parameter("", "which of the bundle's graphs; empty: auto's fastest, else the first")
    threads: int = _parameter(0, "threads of the engine; 0: all usable cores")
    image_transport: str = _parameter(RAW, "raw, or compressed: JPEG or PNG from image/compressed in place of image")
    fov: float = _parameter(0.0, "degrees across the width of the pictures, in place of CameraInfo; 0: by CameraInfo")
    calibration: str = _parameter(
        "", "a file of 'clipdepth calibrate' or of another tool; its camera replaces CameraInfo"
    )
    min_confidence: float = _parameter(0.0, "depth of less confidence becomes NaN, from 0 to 1")
    max_rate: float = _parameter(0.0, "depths a second at most; 0: no limit")
    publish_cloud: bool = _parameter(False, "whether to publish ~/points too")
    frame_id: str = _parameter("", "the frame of reference of what is published; empty: that of the picture")

    def __post_init__(self) -> None:
        if not self.bundle:
            raise UsageError("the parameter bundle is empty; name a model: --ros-args -p bundle:=edge-nyu")
        if self.image_transport not in TRANSPORTS:
            known = " or ".join(TRANSPORTS)
            raise UsageError(f"image_transport {self.image_transport!r} cannot be; give {known}")
        if self.threads < 0:
            raise UsageError(f"threads {self.threads} cannot be; give a number above 0, or 0 for all usable cores")
        if not 0 <= self.min_confidence <= 1:
            raise UsageError(f"min_confidence {self.min_confidence:g} cannot be; give a number from 0 to 1")
        if not 0 <= self.max_rate < math.inf:
            raise UsageError(f"max_rate {self.max_rate:g} cannot be; give depths a second, or 0 for no limit")

    @property
    def camera(self) -> Camera:
        """The camera as far as the parameters tell it; raises UsageError where they contradict each other."""
        return Camera(fov=self.fov or None, calibration=Path(self.calibration) if self.calibration else None)

    @classmethod
    def declared(cls, node: Any) -> "Parameters":
        """Declare them on an rclpy node and read them. They cannot change while it runs."""
        from rclpy.exceptions import ParameterException

        descriptor = message_type("rcl_interfaces/msg/ParameterDescriptor")
        values = {}
        for each in fields(cls):
            told = descriptor(description=each.metadata["description"], read_only=True)
            try:
                values[each.name] = node.declare_parameter(each.name, each.default, told).value
            except ParameterException as error:
                raise UsageError(f"{error}; it is a {type(each.default).__name__} such as {each.default!r}") from None
        return cls(**values)
