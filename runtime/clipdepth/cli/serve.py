"""`clipdepth serve`: answer pictures with their depth, over HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import sleep

from rich.console import Console

from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.kind import require_metric
from clipdepth.camera.corrections import Corrections
from clipdepth.cli.access_options import AccessOptions, add_access_arguments
from clipdepth.cli.arguments import BUNDLE_HELP, ArgumentParser
from clipdepth.cli.camera_options import CameraOptions, add_camera_arguments
from clipdepth.cli.choice_report import print_choice
from clipdepth.cli.engine_options import add_engine_arguments
from clipdepth.cli.interruption import exit_status, interruptions_noted, sigterm_interrupts
from clipdepth.cli.logs import in_json, log_event
from clipdepth.model import load
from clipdepth.web import Address, parse_address
from clipdepth.web.service import open_service

OPEN = "every user of this computer can ask; with --token only those who know the token"
LOOK_S = 0.1
"""How soon Ctrl-C is seen, seconds."""


@dataclass(frozen=True)
class ServeOptions(CameraOptions, AccessOptions):
    """The arguments of `clipdepth serve`; its help says what each is."""

    bundle: str
    address: Address
    engine: str
    device: int | None
    precision: str | None
    threads: int | None


def main(argv: Sequence[str]) -> int:
    """Run the command until Ctrl-C or SIGTERM; return 130 or 143."""
    options = ServeOptions(**vars(parser().parse_args(argv)))
    with sigterm_interrupts():
        return _serve(options)


def _serve(options: ServeOptions) -> int:
    bundle, console = open_bundle(options.bundle), Console(stderr=True, quiet=in_json())
    require_metric(Corrections(bundle.manifest, options.camera).kind, "depth in metres", options.bundle)
    token = options.token_for(options.address)
    with console.status("loading"):
        model = load(
            bundle, engine=options.engine, precision=options.precision, threads=options.threads, device=options.device
        )
    if model.choice:
        print_choice(model.choice, console)
    with model, interruptions_noted() as ending:
        service = open_service(
            options.address,
            token,
            bundle.manifest,
            model.engine,
            model.precision,
            options.camera,
            metrics=options.metrics,
            allowed=options.allowed,
        )
        with service:
            _announce(service.url, token, options, console)
            while not ending.interruption:
                sleep(LOOK_S)
    log_event("ended")
    return exit_status(ending.interruption)


def _announce(url: str, token: str | None, options: ServeOptions, console: Console) -> None:
    """Say where pictures are sent; a token that was made is told, one that was given stays out of logs."""
    made = token if token != options.secret else None
    log_event("serving", url=url, needs_token=token is not None, **({"token": made} if made else {}))
    lines = [f"POST pictures to {url}", *([f"with the header Authorization: Bearer {made}"] if made else [])]
    for line in [*lines, *([] if token else [OPEN])]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


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
    return parser
