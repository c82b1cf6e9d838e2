"""Depth as a service: POST a picture, get its depth.

`engine_queue` runs the engine, `depth_maker` what is before and after it; `request`, `answers` and `app` are HTTP.
"""

from typing import TYPE_CHECKING

from clipdepth.bundle.manifest import Manifest
from clipdepth.camera.camera import Camera
from clipdepth.engines import Engine
from clipdepth.errors import needs_extra
from clipdepth.web.address import Address
from clipdepth.web.allowed import Allowed

if TYPE_CHECKING:
    from clipdepth.web.service.service import Service

__all__ = ["open_service"]


def open_service(
    address: Address,
    token: str | None,
    manifest: Manifest,
    engine: Engine,
    precision: str,
    camera: Camera | None = None,
    *,
    metrics: bool = False,
    allowed: Allowed | None = None,
) -> "Service":
    """A `Service`, which serves from its `__enter__` to its `__exit__`.

    `engine` is loaded from the bundle of `manifest`; `camera` is the one of pictures whose sender tells none. Raises
    MissingExtraError without the extra 'viewer'.
    """
    with needs_extra("the service", "viewer"):
        from clipdepth.web.service.service import Service
    return Service(address, token, manifest, engine, precision, camera or Camera(), metrics, allowed or Allowed())
