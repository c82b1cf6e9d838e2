"""The options of `clipdepth serve`."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from clipdepth.cli.access_options import AccessOptions, add_access_arguments
from clipdepth.cli.arguments import BUNDLE_HELP, ArgumentParser
from clipdepth.cli.camera_options import CameraOptions, add_camera_arguments
from clipdepth.cli.engine_options import add_engine_arguments
from clipdepth.cli.worker_options import CPUS, WorkerOptions, add_worker_arguments
from clipdepth.cluster.connection import LOCAL, Resources
from clipdepth.errors import UsageError
from clipdepth.web import Address, parse_address

STORE = 10**8
"""Bytes of a local Ray's object store, which the service does not use."""


@dataclass(frozen=True)
class ServeOptions(CameraOptions, AccessOptions, WorkerOptions):
    """The arguments of `clipdepth serve`; its help says what each is."""

    bundle: str
    address: Address
    engine: str
    device: int | None
    precision: str | None
    threads: int | None
    ray: str | None

    @property
    def resources(self) -> Resources:
        """What the service may use of Ray."""
        return Resources(self.ray or LOCAL, self.workers, self.cpus or CPUS, self.gpus, STORE)


def parse_options(argv: Sequence[str]) -> ServeOptions:
    """The command's options. Raises UsageError for those that make no sense together."""
    options = ServeOptions(**vars(parser().parse_args(argv)))
    if options.ray is None:
        for name in ("workers", "cpus", "gpus"):
            if getattr(options, name) is not None:
                raise UsageError(f"--{name} is for the workers of Ray; give --ray too, or leave it out")
        return options
    for name, instead in (("device", "--gpus"), ("threads", "--cpus")):
        if getattr(options, name) is not None:
            raise UsageError(f"--{name} is for this machine alone; with --ray give {instead}")
    if options.metrics:
        raise UsageError("--metrics is for one machine; with --ray take the metrics of Ray Serve")
    if not options.address.port:
        raise UsageError("--address: port 0 is for one machine; with --ray give a port")
    return options


def parser() -> ArgumentParser:
    """The options of `clipdepth serve`."""
    parser = ArgumentParser(
        "clipdepth serve",
        "Answer pictures with their depth, over HTTP: POST /depth.",
        "clipdepth serve edge-nyu --address 127.0.0.1:8000",
    )
    add = parser.add_argument
    add("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    add(
        "--address",
        type=parse_address,
        default=Address(),
        metavar="HOST:PORT",
        help="where to listen (default: %(default)s)",
    )
    add_camera_arguments(parser)
    add_access_arguments(parser, "clients")
    add_engine_arguments(parser)
    add(
        "--ray",
        nargs="?",
        const=os.environ.get("RAY_ADDRESS") or "auto",
        metavar="ADDRESS",
        help="serve from the machines of a Ray cluster: its address, auto for the one that this machine belongs to, "
        f"or {LOCAL} for a Ray of its own; without ADDRESS it is RAY_ADDRESS, else auto",
    )
    add_worker_arguments(parser, "how many answer (default: one for each GPU, else half of the cores)", "with --ray: ")
    return parser
