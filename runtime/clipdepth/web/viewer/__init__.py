"""A web page that shows live depth, for devices without a screen, and Prometheus metrics beside it."""

from typing import TYPE_CHECKING

from clipdepth.errors import needs_extra
from clipdepth.web.address import Address
from clipdepth.web.allowed import Allowed
from clipdepth.web.viewer.setup import Setup

if TYPE_CHECKING:
    from clipdepth.web.viewer.viewer import Viewer

__all__ = ["Setup", "open_viewer"]


def open_viewer(
    address: Address, token: str | None, setup: Setup, *, metrics: bool = False, allowed: Allowed | None = None
) -> "Viewer":
    """A `Viewer`, which serves from its `__enter__` to its `__exit__`.

    `token` is what `choose_token` gave. Raises MissingExtraError without the extra 'viewer'.
    """
    with needs_extra("the viewer", "viewer"):
        from clipdepth.web.viewer.viewer import Viewer
    return Viewer(address, token, setup, metrics=metrics, allowed=allowed or Allowed())
