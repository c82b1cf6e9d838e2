"""The service on this computer."""

from clipdepth.bundle.manifest import Manifest
from clipdepth.camera.camera import Camera
from clipdepth.engines import Engine
from clipdepth.web.access import Access
from clipdepth.web.address import Address
from clipdepth.web.allowed import Allowed
from clipdepth.web.server import Server
from clipdepth.web.service.app import make_app
from clipdepth.web.service.counts import Served
from clipdepth.web.service.depth_maker import DepthMaker
from clipdepth.web.service.limits import FAREWELL_S


class Service:
    """Serves depth from `__enter__` to `__exit__`, which answers the requests that are under way.

    `token` None lets everybody ask who can reach the address. `__enter__` raises ServeError where the address cannot
    be had. The engine is the caller's, who closes it afterwards.
    """

    def __init__(
        self,
        address: Address,
        token: str | None,
        manifest: Manifest,
        engine: Engine,
        precision: str,
        camera: Camera,
        metrics: bool,
        allowed: Allowed,
    ) -> None:
        self.address = address
        self.token = token
        self.access = Access(address, token, allowed)
        self._manifest, self._engine, self._camera = manifest, engine, camera
        self._precision, self._metrics = precision, metrics
        self._maker: DepthMaker | None = None
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """Where pictures are sent."""
        return f"http://{self.address}/depth"

    def __enter__(self) -> "Service":
        listening = self.address.listen("--address")
        self.address = Address(self.address.host, listening.getsockname()[1])
        self._maker = maker = DepthMaker(self._manifest, self._engine, self._camera)
        served = Served(self._engine.name, self._engine.device, self._precision, maker.kind)
        app = make_app(maker, served, self.access, metrics=self._metrics)
        self._server = Server(app, listening, self.access, "clipdepth-serve", FAREWELL_S)
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server:
            self._server.stop()
        if self._maker:
            self._maker.close()
