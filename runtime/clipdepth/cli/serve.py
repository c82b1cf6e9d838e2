"""`clipdepth serve`: answer pictures with their depth, over HTTP."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from time import sleep
from typing import Protocol

from rich.console import Console

from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.kind import require_metric
from clipdepth.camera.corrections import Corrections
from clipdepth.cli.choice_report import print_choice
from clipdepth.cli.interruption import Ending, exit_status, interruptions_noted, sigterm_interrupts
from clipdepth.cli.logs import in_json, log_event
from clipdepth.cli.serve_options import ServeOptions, parse_options
from clipdepth.cluster.connection import connect
from clipdepth.cluster.sent_model import send_model, settle
from clipdepth.cluster.service import open_ray_service
from clipdepth.model import load
from clipdepth.web.service import open_service

OPEN = "every user of this computer can ask; with --token only those who know the token"
LOOK_S = 0.1
"""How soon Ctrl-C is seen, seconds."""


class Serving(Protocol):
    """What serves."""

    @property
    def url(self) -> str:
        """Where pictures are sent."""


def main(argv: Sequence[str]) -> int:
    """Run the command until Ctrl-C or SIGTERM; return 130 or 143."""
    options = parse_options(argv)
    with sigterm_interrupts():
        return _serve(options)


def _serve(options: ServeOptions) -> int:
    bundle, console = open_bundle(options.bundle), Console(stderr=True, quiet=in_json())
    require_metric(Corrections(bundle.manifest, options.camera).kind, "depth in metres", options.bundle)
    token = options.token_for(options.address)
    serving = _on_this_machine if options.ray is None else _on_ray
    with serving(bundle, token, options, console) as (service, ending):
        _announce(service.url, token, options, console)
        while not ending.interruption:
            sleep(LOOK_S)
    log_event("ended")
    return exit_status(ending.interruption)


@contextmanager
def _on_this_machine(
    bundle: Bundle, token: str | None, options: ServeOptions, console: Console
) -> Iterator[tuple[Serving, Ending]]:
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
            yield service, ending


@contextmanager
def _on_ray(
    bundle: Bundle, token: str | None, options: ServeOptions, console: Console
) -> Iterator[tuple[Serving, Ending]]:
    with ExitStack() as stack:
        with console.status("starting Ray"):
            resources = stack.enter_context(connect(options.resources))
            # Ray sets a handler of its own for SIGTERM when it starts.
            stack.enter_context(sigterm_interrupts())
        with console.status("verifying the bundle on a worker"):
            model = settle(send_model(bundle, options.engine, options.precision or "", resources), resources)
        workers = f"{resources.workers} workers run {model.engine} {model.precision}"
        console.print(workers, highlight=False, soft_wrap=True)
        service = open_ray_service(options.address, token, model, resources, options.camera, options.allowed)
        with console.status("starting the workers"):
            stack.enter_context(service)
        with interruptions_noted() as ending:
            yield service, ending


def _announce(url: str, token: str | None, options: ServeOptions, console: Console) -> None:
    """Say where pictures are sent; a token that was made is told, one that was given stays out of logs."""
    made = token if token != options.secret else None
    log_event("serving", url=url, needs_token=token is not None, **({"token": made} if made else {}))
    lines = [f"POST pictures to {url}", *([f"with the header Authorization: Bearer {made}"] if made else [])]
    for line in [*lines, *([] if token else [OPEN])]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
