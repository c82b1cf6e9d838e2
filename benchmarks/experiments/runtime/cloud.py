"""How fast the viewer's cloud turns in a browser, and what memory its page holds over minutes of live frames.

    python benchmarks/experiments/runtime/cloud.py [--minutes 10] [--seconds 10] [--rounds 3] [--chromium PATH]

Frames are of a drawn room, 320×240 with exact depth, 20 a second. A headless Chromium turns the cloud at each of its
pictures, drawn in turn by the processor, as the page does without a graphics processor, and by WebGL in software. What
a drawing takes of processor time, decoding of frames and all, depends less than its rate on other work on the cores.
Then the page just shows live frames. Every tenth of the minutes its garbage is collected and its heap read, and the
resident memory of the page's process and of the one that draws. Needs Playwright and Chromium.
"""

import shutil
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any

from figures import TESTS, note, print_heading, print_machine, print_row, spread
from memory import resident
from playwright.sync_api import sync_playwright

from clipdepth.rooms import Room, default_intrinsics
from clipdepth.sources import Captured
from clipdepth.web import Address
from clipdepth.web.viewer import Setup, open_viewer

sys.path.insert(0, str(TESTS))
from browsers import fed
from depth_frames import with_depth

HEIGHT, WIDTH, FPS = 240, 320, 20
WANTED_FPS = 30
SIZES = {"wide, 1280×800": {"width": 1280, "height": 800}, "phone, 390×844": {"width": 390, "height": 844}}
PARTS = 10
WARM_UP_S = 1
TURN = """(seconds) => new Promise((done) => {
    const [cloud, start] = [document.getElementById("cloud"), performance.now()];
    const step = (now) => {
        cloud.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
        if (now - start < 1000 * seconds) requestAnimationFrame(step);
        else done();
    };
    requestAnimationFrame(step);
})"""
COUNT = """window.drawn = 0;
const [draw, put] = [WebGL2RenderingContext.prototype.drawArrays, CanvasRenderingContext2D.prototype.putImageData];
WebGL2RenderingContext.prototype.drawArrays = function (kind, first, count) {
    draw.call(this, kind, first, count);
    if (kind === this.POINTS) window.drawn++;
};
CanvasRenderingContext2D.prototype.putImageData = function (...given) {
    put.apply(this, given);
    if (this.canvas.id === "cloud") window.drawn++;
};"""
WEBGL = """const real = WebGL2RenderingContext.prototype.getParameter;
WebGL2RenderingContext.prototype.getParameter = function (name) {
    return name === 0x9246 ? "a graphics processor" : real.call(this, name);
};"""
"""Makes the page take software that stands in for a graphics processor for one."""
PAINTERS = {"processor": "", "WebGL in software": WEBGL}


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("chromium-browser"))
    options = parser.parse_args()
    print_machine()
    with showing() as url, sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
        wanted = f"drawings a second, {WANTED_FPS} wanted"
        print_heading("page", "drawn by", "points", wanted, "processor time of one, ms", "n")
        for name, size in SIZES.items():
            note(f"turning: {name}")
            show_turning(browser, url, name, size, options.rounds, options.seconds)
        note(f"memory over {options.minutes:g} minutes")
        show_memory(browser, cloud_of(browser, url, next(iter(SIZES.values()))), options.minutes)
        browser.close()


@contextmanager
def showing() -> Iterator[str]:
    """A viewer of a walk through a room; its URL."""
    pinhole, room = default_intrinsics(HEIGHT, WIDTH), Room(100)
    walk = [room.render(index / 10, pinhole) for index in range(30)]
    shots = enumerate(cycle(walk + walk[::-1]))
    frames = (with_depth(Captured(shot.frame, i / FPS, i), shot.depth, pinhole) for i, shot in shots)
    viewer = open_viewer(Address("127.0.0.1", 0), None, Setup("rooms", "CPU", "exact", 0.5, 8))
    with fed(viewer, "room", frames, 1 / FPS):
        yield viewer.url


def cloud_of(browser: Any, url: str, size: dict[str, int], script: str = "") -> Any:
    """A page with the cloud, opened after `script` ran in it."""
    page = browser.new_page(viewport=size)
    page.add_init_script(COUNT + script)
    page.goto(url)
    page.click("#solid")
    while not page.evaluate("window.drawn"):
        time.sleep(0.2)
    return page


def show_turning(browser: Any, url: str, name: str, size: dict[str, int], rounds: int, seconds: float) -> None:
    """Turn the cloud by one painter after the other, and print how often each drew it."""
    rates: dict[str, list[float]] = {painter: [] for painter in PAINTERS}
    costs: dict[str, list[float]] = {painter: [] for painter in PAINTERS}
    whole = browser.new_browser_cdp_session()
    for _ in range(rounds):
        for painter, script in PAINTERS.items():
            page = cloud_of(browser, url, size, script)
            page.evaluate(TURN, WARM_UP_S)
            busy, drawn = processor_seconds(whole), page.evaluate("window.drawn")
            page.evaluate(TURN, seconds)
            drawn = page.evaluate("window.drawn") - drawn
            rates[painter].append(drawn / seconds)
            costs[painter].append(1000 * (processor_seconds(whole) - busy) / drawn)
            page.close()
    for painter in PAINTERS:
        figures = spread(rates[painter]), spread(costs[painter])
        print_row(name, painter, HEIGHT * WIDTH, *figures, f"{rounds} × {seconds:g} s")


def show_memory(browser: Any, page: Any, minutes: float) -> None:
    """Print what is held, after each tenth of the time."""
    inside, whole = page.context.new_cdp_session(page), browser.new_browser_cdp_session()
    inside.send("Performance.enable")
    pids = {one["type"]: int(one["id"]) for one in processes(whole)}  # The page is the newest of its type.
    print_heading("minute", "page's heap, MB", "DOM nodes", "page's process, MB", "drawing process, MB", "frame")
    for part in range(PARTS + 1):
        if part:
            page.wait_for_timeout(minutes * 60_000 / PARTS)
        inside.send("HeapProfiler.collectGarbage")
        found = {one["name"]: one["value"] for one in inside.send("Performance.getMetrics")["metrics"]}
        sizes = [f"{resident(pids[kind]):.0f}" for kind in ("renderer", "GPU")]
        heap = f"{found['JSHeapUsedSize'] / 1e6:.2f}"
        print_row(f"{part * minutes / PARTS:g}", heap, f"{found['Nodes']:.0f}", *sizes, page.inner_text("#state"))
    page.close()


def processes(whole: Any) -> list[dict[str, Any]]:
    """The browser's processes, the oldest first."""
    return sorted(whole.send("SystemInfo.getProcessInfo")["processInfo"], key=lambda one: int(one["id"]))


def processor_seconds(whole: Any) -> float:
    """What all of the browser's processes took until now."""
    return sum(float(one["cpuTime"]) for one in processes(whole))


if __name__ == "__main__":
    main()
