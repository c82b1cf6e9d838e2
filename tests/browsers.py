"""A real browser, and pages in it that must neither fail nor break their own policy."""

import re
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from clipdepth.frame import DepthFrame
from live_servers import wait_until

if TYPE_CHECKING:
    from clipdepth.web.viewer.viewer import Viewer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
LOST = "ERR_|WebSocket|401"
"""What the browser says of a server that is gone."""
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}


@contextmanager
def launched(*arguments: str) -> Iterator[Any]:
    """Chromium, by Playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *arguments])
        yield browser
        browser.close()


@contextmanager
def page_of(browser: Any, url: str, expected: str = "401", script: str = "", **options: Any) -> Iterator[Any]:
    """A page, opened after `script` ran in it; fails if the page had an error or broke its own policy.

    Errors with what is `expected`, a pattern, in their text are none.
    """
    complaints: list[str] = []
    with ExitStack() as stack:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        stack.callback(context.close)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.add_init_script(script)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.extend([message.text] if message.type == "error" else []))
        page.goto(url)
        yield page
    assert not [text for text in complaints if not re.search(expected, text)]


@contextmanager
def fed(viewer: "Viewer", name: str, frames: Iterable[DepthFrame], period_s: float) -> "Iterator[Viewer]":
    """The viewer, open, with a source of that `name` that gives a frame each `period_s` seconds."""
    sink, stop = viewer.sink(name), threading.Event()

    def feed() -> None:
        for frame in frames:
            sink.write(frame)
            if stop.wait(period_s):
                return

    feeder = threading.Thread(target=feed)
    with viewer:
        feeder.start()
        try:
            yield viewer
        finally:
            stop.set()
            feeder.join()


def until(page: Any, script: str) -> None:
    """Wait until a script is true. Not Playwright's own, which the page's policy forbids: it evaluates text there."""
    if not wait_until(lambda: bool(page.evaluate(script)), 15):
        raise AssertionError(f"{script} is not true; the page says: {page.evaluate('document.body.innerText')}")


def wait_for_frames(page: Any) -> None:
    """Wait for the first live frame."""
    until(page, "document.getElementById('age').textContent !== '–'")


def hover(page: Any, x: float, y: float) -> float:
    """Point at a place of the depth; return the metres that the page says."""
    return float(hovered(page, x, y).removesuffix(" m"))


def hovered(page: Any, x: float, y: float) -> str:
    """Point at a place of the depth; return what the page says of it."""
    box = page.locator("#depth").bounding_box()
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    said: str = page.locator("#distance").inner_text()
    return said


def becomes(page: Any, text: str) -> None:
    """Wait for the words beside the dot."""
    until(page, f"document.getElementById('state').textContent === {text!r}")


def is_dimmed(page: Any) -> bool:
    """Whether the page shows that its pictures are not live."""
    filters = page.evaluate("[...document.querySelectorAll('.view canvas')].map((c) => getComputedStyle(c).filter)")
    assert len(set(filters)) == 1
    return "brightness" in filters[0]
