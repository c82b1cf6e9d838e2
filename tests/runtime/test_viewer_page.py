"""The viewer's page in a real browser."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from clipdepth.pipeline import Feed, Pipeline
from clipdepth.sinks.depth_picture import colourise
from clipdepth.sources.frames import FramesSource
from clipdepth.viewer import Address, Setup, open_viewer
from clipdepth.viewer.viewer import Viewer
from live_servers import wait_until
from slow_stages import SIZE

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium (Debian: chromium)")

HEIGHT, WIDTH = 240, 320
NEAR, FAR = 0.5, 4.5
TOKEN = "open sesame ü+/&#"


def ramp() -> np.ndarray:
    """Depth at the model's size: nearer on the right, one row like another."""
    return np.tile(np.linspace(4.0, 1.0, SIZE.width, dtype=np.float32), (SIZE.height, 1))


class RampEngine:
    """Makes the same depth of every frame."""

    name, device = "ramp", "CPU"

    def infer(self, frames: np.ndarray, segmentation: np.ndarray | None = None) -> np.ndarray:
        return np.broadcast_to(ramp(), (len(frames), *ramp().shape)).copy()

    def close(self) -> None:
        pass


def camera(stop: threading.Event) -> Iterator[np.ndarray]:
    """Green above, blue below, and a number that counts."""
    index = 0
    while not stop.wait(1 / 60):
        frame = np.full((HEIGHT, WIDTH, 3), (200, 60, 20), np.uint8)
        frame[: HEIGHT // 2] = (30, 180, 40)
        cv2.putText(frame, str(index), (110, 200), cv2.FONT_HERSHEY_SIMPLEX, 2, (255, 255, 255), 3)
        index += 1
        yield frame


@contextmanager
def running(token: str | None = None, sources: int = 1) -> Iterator[Viewer]:
    """A pipeline with a camera that never ends and a viewer."""
    stop = threading.Event()
    viewer = open_viewer(Address("127.0.0.1", 0), token, Setup("ramp", "CPU", "fp32", NEAR, FAR))
    names = [f"camera <b>{number}</b>" for number in range(sources)]
    feeds = [Feed(FramesSource(camera(stop), live=True, name=name), [viewer.sink(name)]) for name in names]
    with viewer, Pipeline(RampEngine(), SIZE, feeds) as pipeline:
        viewer.watch(pipeline)
        try:
            yield viewer
        finally:
            stop.set()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def page_of(browser: Any, url: str, **options: Any) -> Iterator[Any]:
    """A page with frames on it; fails if the page had an error or broke its own policy."""
    complaints: list[str] = []
    with ExitStack() as stack:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        stack.callback(context.close)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.goto(url)
        yield page
    assert not [text for text in complaints if "401" not in text]


def until(page: Any, script: str) -> None:
    """Wait until a script is true. Not Playwright's own, which the page's policy forbids: it evaluates text there."""
    assert wait_until(lambda: bool(page.evaluate(script)), 15), script


def wait_for_frames(page: Any) -> None:
    until(page, "document.getElementById('age').textContent !== '–'")


def pixel(page: Any, canvas: str, x: float, y: float) -> list[int]:
    """The colour, RGB, at a place given as parts of the canvas."""
    script = """([id, x, y]) => { const c = document.getElementById(id);
        return [...c.getContext('2d').getImageData(x * c.width, y * c.height, 1, 1).data.slice(0, 3)]; }"""
    found: list[int] = page.evaluate(script, [canvas, x, y])
    return found


def hover(page: Any, x: float, y: float) -> float:
    """Point at a place of the depth; return the metres that the page says."""
    box = page.locator("#depth").bounding_box()
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    return float(page.locator("#distance").inner_text().removesuffix(" m"))


def expected_depth() -> np.ndarray:
    from clipdepth.camera.resize import resize_depth

    return resize_depth(ramp(), HEIGHT, WIDTH)


def test_picture_depth_distance_and_counters_are_the_pipelines(browser: Any) -> None:
    with running() as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        assert np.abs(np.subtract(pixel(page, "picture", 0.1, 0.1), (40, 180, 30))).max() <= 6
        assert np.abs(np.subtract(pixel(page, "picture", 0.1, 0.9), (20, 60, 200))).max() <= 6
        depth = expected_depth()
        for x in (0.1, 0.35, 0.5, 0.9):
            column = int(x * WIDTH)
            near_by = depth[120, column - 1 : column + 2]
            assert near_by.min() - 0.001 <= hover(page, x, 0.5) <= near_by.max() + 0.001
            colour = colourise(depth[120:121, column : column + 1], NEAR, FAR)[0, 0, ::-1]
            assert np.abs(np.subtract(pixel(page, "depth", x, 0.5), colour.astype(int))).max() <= 12
        until(page, "document.getElementById('rate').textContent.endsWith('fps')")
        assert page.locator("#source").inner_text().strip() == "camera <b>0</b>"
        assert "ramp on CPU, fp32" in page.locator("#engine").inner_text()
        assert page.locator("#state").inner_text() == "live"
        counters = page.locator("#counters").inner_text()
        assert "frames processed" in counters
        assert "engine" in page.locator("#latency").inner_text()


def test_range_changes_colours_and_not_distances(browser: Any) -> None:
    with running() as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        metres = hover(page, 0.5, 0.5)
        page.fill("#near", "1")
        page.fill("#far", "2")
        page.wait_for_timeout(300)
        depth = expected_depth()[120:121, WIDTH // 2 : WIDTH // 2 + 1]
        colour = colourise(depth, 1, 2)[0, 0, ::-1].astype(int)
        assert np.abs(np.subtract(pixel(page, "depth", 0.5, 0.5), colour)).max() <= 3
        assert hover(page, 0.5, 0.5) == metres
        page.fill("#near", "3")  # beyond far: not taken
        page.wait_for_timeout(200)
        assert np.abs(np.subtract(pixel(page, "depth", 0.5, 0.5), colour)).max() <= 3
        page.check("#auto")
        until(page, "document.activeElement.blur() || document.getElementById('far').value > 3.8")
        assert 0.9 <= float(page.input_value("#near")) <= 1.1
        assert 3.8 <= float(page.input_value("#far")) <= 4.1


def test_pause_holds_the_picture_and_asks_for_no_more(browser: Any) -> None:
    with running() as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        page.click("#pause")
        page.wait_for_timeout(300)
        grab = "document.getElementById('picture').toDataURL()"
        still, sent = page.evaluate(grab), viewer.status.sent
        page.wait_for_timeout(700)
        assert page.evaluate(grab) == still
        assert viewer.status.sent == sent
        assert 1 < hover(page, 0.5, 0.5) < 4
        page.click("#pause")
        until(page, f"{grab} !== {still!r}")
        assert viewer.status.sent > sent


def test_a_snapshot_holds_picture_depth_and_bar(browser: Any, tmp_path: Path) -> None:
    with running() as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        with page.expect_download() as download:
            page.click("#snapshot")
        download.value.save_as(tmp_path / "snapshot.png")
    picture = cv2.imread(str(tmp_path / "snapshot.png"))
    assert picture.shape == (HEIGHT + 44, 2 * WIDTH, 3)
    assert np.abs(picture[20, 20].astype(int) - (30, 180, 40)).max() <= 6
    colour = colourise(expected_depth()[120:121, 160:161], NEAR, FAR)[0, 0]
    assert np.abs(picture[120, WIDTH + 160].astype(int) - colour).max() <= 12


def test_a_recording_plays(browser: Any, tmp_path: Path) -> None:
    with running() as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        page.click("#record")
        page.wait_for_timeout(1500)
        with page.expect_download() as download:
            page.click("#record")
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
    video = cv2.VideoCapture(str(path))
    frames = 0
    while video.read()[0]:
        frames += 1
    assert frames > 5
    assert (video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (2 * WIDTH, HEIGHT + 44)
    video.release()


def test_the_token_comes_from_the_fragment_and_leaves_the_address(browser: Any) -> None:
    with running(TOKEN) as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        assert page.url == f"http://{viewer.address}/"
        page.reload()
        wait_for_frames(page)


def test_without_a_token_the_page_asks_for_it(browser: Any) -> None:
    with running(TOKEN) as viewer, page_of(browser, f"http://{viewer.address}/") as page:
        page.fill("#token", "wrong one")
        page.click("#ask button")
        page.wait_for_selector("#wrong:not([hidden])")
        assert not page.is_visible("#main")
        page.fill("#token", TOKEN)
        page.click("#ask button")
        wait_for_frames(page)


def test_another_camera_can_be_chosen(browser: Any) -> None:
    with running(sources=2) as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        with page.expect_websocket() as opened:
            page.select_option("#source", "1")
        assert opened.value.url.endswith("/live/1")
        page.evaluate("document.getElementById('age').textContent = '–'")
        wait_for_frames(page)


def test_it_fits_a_phone_and_a_finger_measures(browser: Any) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    with running() as viewer, page_of(browser, viewer.url, **phone) as page:
        wait_for_frames(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        box = page.locator("#depth").bounding_box()
        assert box["width"] > 350
        page.touchscreen.tap(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
        metres = float(page.locator("#distance").inner_text().removesuffix(" m"))
        assert abs(metres - expected_depth()[120, int(0.9 * WIDTH)]) < 0.02
        label = page.locator("#distance").bounding_box()
        assert label["x"] >= 0
        assert label["x"] + label["width"] <= 390


def test_it_comes_back_when_the_server_does(browser: Any) -> None:
    with running() as viewer:
        address = viewer.address
        context = browser.new_context()
        page = context.new_page()
        page.goto(viewer.url)
        wait_for_frames(page)
    until(page, "document.getElementById('state').dataset.state === 'lost'")
    again = open_viewer(address, None, Setup("ramp", "CPU", "fp32", NEAR, FAR))
    again.sink("camera")
    with again:
        until(page, "document.getElementById('state').dataset.state === 'live'")
        context.close()
