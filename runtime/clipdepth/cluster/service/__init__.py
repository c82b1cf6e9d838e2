"""The depth service under Ray Serve: `service` starts and ends it, `replica` is what each worker runs."""

from typing import TYPE_CHECKING

from clipdepth.camera.camera import Camera
from clipdepth.cluster.connection import Resources
from clipdepth.cluster.sent_model import SentModel
from clipdepth.errors import needs_extra
from clipdepth.web import Address, Allowed

if TYPE_CHECKING:
    from clipdepth.cluster.service.service import RayService

__all__ = ["open_ray_service"]


def open_ray_service(
    address: Address,
    token: str | None,
    model: SentModel,
    resources: Resources,
    camera: Camera,
    allowed: Allowed,
) -> "RayService":
    """A `RayService` on the Ray cluster that was joined; `model` is settled.

    Raises MissingExtraError without the extras 'viewer' and 'cluster'.
    """
    with needs_extra("the service under Ray", "viewer,cluster"):
        from clipdepth.cluster.service.replica import Setup
        from clipdepth.cluster.service.service import RayService
    return RayService(Setup(model, camera, address, token, allowed), resources)
