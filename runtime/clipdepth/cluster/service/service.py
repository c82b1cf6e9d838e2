"""The service under Ray Serve, which starts the replicas, shares requests among them and replaces those that die."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import ray
from ray import serve
from ray.exceptions import RayError
from ray.serve.config import HTTPOptions, ProxyLocation
from starlette.types import ASGIApp

from clipdepth.cluster.connection import Resources
from clipdepth.cluster.service.replica import Replica, Setup, replica_app
from clipdepth.errors import EngineError, UsageError
from clipdepth.web.server import ANSWER_S
from clipdepth.web.service.limits import BODY_S, FAREWELL_S, MAX_AT_ONCE

NAME = "clipdepth"
"""Of the application, for `serve status`."""
# Ray types neither.
_shutdown: Callable[[], None] = serve.shutdown
_nodes: Callable[[], list[dict[str, Any]]] = ray.nodes
HEALTH_S = 2
"""How often replicas are asked whether they work, and so how soon one that died is replaced, seconds."""
LOOK_S = 0.2
"""How often a replica that ends looks whether all its pictures are answered, seconds."""
EVERYWHERE = ("0.0.0.0", "::")


class RayService:
    """Serves depth from `__enter__` to `__exit__` on the Ray cluster that was joined.

    Each replica verifies the model on its machine. `__enter__` raises UsageError where Ray Serve runs on the cluster
    already, ServeError where the address cannot be had here, and EngineError where replicas do not start.
    """

    def __init__(self, setup: Setup, resources: Resources) -> None:
        self.address = setup.address
        self._setup, self._resources = setup, resources
        self._ending = ExitStack()

    @property
    def url(self) -> str:
        """Where pictures are sent."""
        return f"http://{self.address}/depth"

    def __enter__(self) -> "RayService":
        logging.getLogger("ray.serve").setLevel(logging.ERROR)
        if serve.status().proxies:
            raise UsageError("Ray Serve runs on this cluster already; end it with 'serve shutdown', or use another")
        self.address.listen("--address").close()
        host, port = self.address.host, self.address.port
        with ExitStack() as stack:
            stack.callback(_shutdown)
            try:
                serve.start(
                    proxy_location=ProxyLocation.EveryNode if self._everywhere else ProxyLocation.HeadOnly,
                    http_options=HTTPOptions(host=host, port=port, request_timeout_s=BODY_S + ANSWER_S),
                    logging_config={"log_level": "ERROR", "enable_access_log": False},
                )
                serve.run(self._application(), name=NAME, route_prefix="/")
            except (RuntimeError, RayError) as error:
                # Of a proxy too that a busy machine did not start in the few seconds that Ray Serve gives it.
                why = " ".join(str(error).split())
                raise EngineError(f"Ray Serve did not start: {why}; start the command again") from None
            self._ending = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    @property
    def _everywhere(self) -> bool:
        return self.address.host in EVERYWHERE

    def _application(self) -> serve.Application:
        wanted = self._resources
        nodes = [node["NodeManagerHostname"].lower() for node in _nodes() if node["Alive"]]
        names = (*self._setup.allowed.hosts, *(nodes if self._everywhere else []))
        setup = replace(self._setup, allowed=replace(self._setup.allowed, hosts=names))

        def app() -> ASGIApp:
            return replica_app(setup)

        deployment = serve.deployment(
            name=NAME,
            num_replicas=wanted.workers,
            ray_actor_options={"num_cpus": wanted.cpus, "num_gpus": wanted.gpus},
            max_ongoing_requests=MAX_AT_ONCE,
            max_queued_requests=MAX_AT_ONCE,
            graceful_shutdown_timeout_s=FAREWELL_S,
            graceful_shutdown_wait_loop_s=LOOK_S,
            health_check_period_s=HEALTH_S,
        )
        return deployment(serve.ingress(app)(Replica)).bind()
