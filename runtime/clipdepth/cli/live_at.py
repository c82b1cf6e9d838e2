"""Says where the viewer of `clipdepth run` is."""

import sys
from typing import TYPE_CHECKING

from rich.console import Console

from clipdepth.cli.logs import log_event
from clipdepth.web.viewer.qr import qr_code

if TYPE_CHECKING:
    from clipdepth.web.viewer.viewer import Viewer

OPEN = "every user of this computer can watch; with --token only those who know the token"


def announce(viewer: "Viewer", console: Console, *, token_was_given: bool) -> None:
    """Print the viewer's URLs, with a QR code of one where people read them, and log them.

    A token that was made is told; one that was given stays out of logs.
    """

    def told(url: str) -> str:
        return url.partition("#")[0] if token_was_given else url

    others = {told(url): way for url, way in viewer.other_urls.items()}
    log_event("serving", url=told(viewer.url), other_urls=list(others), needs_token=viewer.needs_token)
    lines = [f"live at {told(viewer.url)}", *(f"     or {url} ({way})" for url, way in others.items())]
    if not viewer.needs_token:
        lines.append(OPEN)
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if viewer.phone_url and console.is_terminal and sys.stdout.isatty():
        _print_code(told(viewer.phone_url), console)


def _print_code(url: str, console: Console) -> None:
    code = qr_code(url)
    if code and len(code.plain.partition("\n")[0]) <= console.width:
        console.print(code)
