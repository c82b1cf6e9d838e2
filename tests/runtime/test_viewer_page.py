"""The viewer's page in a real browser."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from websockets.sync.client import connect

from browsers import (
    CHROMIUM,
    LOST,
    PHONE,
    becomes,
    hover,
    hovered,
    is_dimmed,
    launched,
    page_of,
    until,
    wait_for_frames,
)
from bundles import write_bundle
from clipdepth.bundle.answer import Answer
from clipdepth.bundle.folder import open_bundle
from clipdepth.camera.camera import Camera
from clipdepth.camera.corrections import Corrections
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.sinks.depth_picture import INVALID, colourise
from clipdepth.sinks.relative import FARTHEST, NEAREST
from clipdepth.sources import Captured, SourceOptions
from clipdepth.sources.frames import FramesSource
from clipdepth.sources.late import open_late
from clipdepth.sources.live import Reconnect
from clipdepth.web import Address, Allowed
from clipdepth.web.prometheus import exposition
from clipdepth.web.viewer import Setup, open_viewer
from clipdepth.web.viewer.messages import pack
from clipdepth.web.viewer.metrics import ViewerMetrics
from clipdepth.web.viewer.viewer import Viewer
from depth_frames import with_depth
from live_servers import free_port, mjpeg_server
from relays import relay
from slow_stages import SIZE

pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium (Debian: chromium)")

HEIGHT, WIDTH = 240, 320
NEAR, FAR = 0.5, 4.5
TOKEN = "open sesame ü+/&#"
SETUP = Setup("ramp", "CPU", "fp32", NEAR, FAR)
NAME = "cam.example.org"
"""The browser is told that this is loopback."""


def ramp() -> np.ndarray:
    """Depth at the model's size: nearer on the right, one row like another."""
    return np.tile(np.linspace(4.0, 1.0, SIZE.width, dtype=np.float32), (SIZE.height, 1))


class RampEngine:
    """Makes the same depth of every frame, and says that each is as novel as `novelty`, if that is a number."""

    name, device = "ramp", "CPU"
    novelty: float | None = None

    def __init__(self, confidence: np.ndarray | None = None) -> None:
        self._confidence = confidence

    def infer(self, frames: np.ndarray, segmentation: np.ndarray | None = None) -> Answer:
        stack = [
            None if each is None else np.broadcast_to(each, (len(frames), *each.shape)).copy()
            for each in (ramp(), self._confidence)
        ]
        novelty = None if self.novelty is None else np.full(len(frames), self.novelty, np.float32)
        return Answer(*stack, novelty=novelty)

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
def running(
    token: str | None = None,
    sources: int = 1,
    allowed: Allowed | None = None,
    setup: Setup = SETUP,
    corrections: Corrections | None = None,
    confidence: np.ndarray | None = None,
) -> Iterator[Viewer]:
    """A pipeline with a camera that never ends and a viewer; `confidence` is of each frame, at the model's size."""
    stop = threading.Event()
    viewer = open_viewer(Address("127.0.0.1", 0), token, setup, allowed=allowed)
    names = [f"camera <b>{number}</b>" for number in range(sources)]
    feeds = [Feed(FramesSource(camera(stop), live=True, name=name), [viewer.sink(name)], corrections) for name in names]
    with viewer, Pipeline(RampEngine(confidence), [SIZE], feeds) as pipeline:
        viewer.watch(pipeline)
        try:
            yield viewer
        finally:
            stop.set()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched(f"--host-resolver-rules=MAP {NAME} 127.0.0.1") as browser:
        yield browser


def pixel(page: Any, canvas: str, x: float, y: float) -> list[int]:
    """The colour, RGB, at a place given as parts of the canvas."""
    script = """([id, x, y]) => { const c = document.getElementById(id);
        return [...c.getContext('2d').getImageData(x * c.width, y * c.height, 1, 1).data.slice(0, 3)]; }"""
    found: list[int] = page.evaluate(script, [canvas, x, y])
    return found


def expected_depth() -> np.ndarray:
    from clipdepth.camera.resize import resize_depth

    return resize_depth(ramp(), HEIGHT, WIDTH)


def test_picture_depth_distance_and_counters_are_the_pipelines(browser: Any) -> None:
    with running() as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        assert np.abs(np.subtract(pixel(page, "picture", 0.1, 0.1), (40, 180, 30))).max() <= 6
        assert np.abs(np.subtract(pixel(page, "picture", 0.1, 0.9), (20, 60, 200))).max() <= 6
        depth = ramp()
        for x in (0.11, 0.36, 0.51, 0.9):  # inside a pixel of the network's depth, not between two
            column = int(x * SIZE.width)
            assert hover(page, x, 0.51) == pytest.approx(float(depth[0, column]), abs=0.001)
            colour = colourise(depth[:1, column : column + 1], NEAR, FAR)[0, 0, ::-1]
            assert np.abs(np.subtract(pixel(page, "depth", x, 0.5), colour.astype(int))).max() <= 12
        until(page, "document.getElementById('rate').textContent.endsWith('fps')")
        assert page.locator("#source").inner_text().strip() == "camera <b>0</b>"
        assert "ramp on CPU, fp32" in page.locator("#engine").inner_text()
        assert page.locator("#state").inner_text() == "live"
        counters = page.locator("#counters").inner_text()
        assert "frames processed" in counters
        assert "engine" in page.locator("#latency").inner_text()


def test_relative_depth_has_colours_and_no_metres(browser: Any, tmp_path: Path) -> None:
    """The ramp as a disparity: near is on the left, where it is largest."""
    manifest = open_bundle(write_bundle(tmp_path / "b", SIZE.height, SIZE.width, kind="disparity")).manifest
    setup = Setup("ramp", "CPU", "fp32", NEAREST, FARTHEST, "disparity")
    with (
        running(setup=setup, corrections=Corrections(manifest, Camera())) as viewer,
        page_of(browser, viewer.url) as page,
    ):
        wait_for_frames(page)
        near, far = colourise(np.array([[NEAREST, FARTHEST]], np.float32), NEAREST, FARTHEST)[0, :, ::-1].astype(int)
        assert np.abs(np.subtract(pixel(page, "depth", 0.01, 0.5), near)).max() <= 12
        assert np.abs(np.subtract(pixel(page, "depth", 0.99, 0.5), far)).max() <= 12
        box = page.locator("#depth").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert page.locator("#distance").inner_text() == "not in metres"
        assert "relative depth, not metres" in page.locator("#engine").inner_text()
        assert not re.search(r"\d m\b", page.locator("body").inner_text())
        for control in ("near", "far", "auto"):
            assert not page.locator(f"#{control}").is_visible()
        assert page.locator("#bar").get_attribute("aria-label") == "colours from near to far, not metres"


def test_depth_that_is_unsure_fades_and_says_how_far_off_it_may_be(browser: Any) -> None:
    """Surer from top to bottom. The interval is of the Weibull law of shape 1.1 with `sure` of its mass within 10%."""
    sure = np.tile(np.linspace(0, 1, SIZE.height, dtype=np.float32)[:, None], (1, SIZE.width))
    unknown = np.full(3, INVALID)
    with (
        running(setup=replace(SETUP, confidence=True), confidence=sure) as viewer,
        page_of(browser, viewer.url) as page,
    ):
        wait_for_frames(page)
        for x, y in ((0.11, 0.99), (0.51, 0.76), (0.9, 0.51)):  # inside a pixel of the network's depth
            row, column = int(y * SIZE.height), int(x * SIZE.width)
            level = min(round(float(sure[row, 0]) * 255), 254.5) / 255
            metres, share = float(ramp()[0, column]), 0.1 * (np.log(0.1) / np.log(1 - level)) ** (1 / 1.1)
            assert hovered(page, x, y) == f"{metres:.3f} m ± {metres * share:.2f} m"
            colour = colourise(ramp()[:1, column : column + 1], NEAR, FAR)[0, 0, ::-1].astype(int)
            page.check("#fade")
            assert np.abs(pixel(page, "depth", x, y) - (unknown + (colour - unknown) * sure[row, 0])).max() <= 4
            page.uncheck("#fade")
            assert np.abs(np.subtract(pixel(page, "depth", x, y), colour)).max() <= 4
        metres = f"{ramp()[0, SIZE.width // 2]:.3f} m"
        assert hovered(page, 0.51, 0.01) == f"{metres}, unsure"
        # Where the interval would begin behind the camera: fewer than 1 - 0.1 ** 0.1 ** 1.1 = 16.7% are within 10%.
        for row in range(SIZE.height // 8, SIZE.height // 3):
            said = hovered(page, 0.51, (row + 0.5) / SIZE.height)
            assert said.startswith(metres)
            assert said.endswith(", unsure") == (sure[row, 0] < 1 - 0.1 ** (0.1**1.1))


def test_without_confidence_there_is_nothing_to_fade(browser: Any) -> None:
    """Nor in messages of a server that does not say how long depth is in them."""
    with running() as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        assert not page.locator("#unsure").is_visible()
        depth = np.array([[500, 65535], [0, 1]], np.uint16)
        jpeg = cv2.imencode(".jpg", np.zeros((2, 2, 3), np.uint8))[1].tobytes()
        text = json.dumps({"picture": {"bytes": len(jpeg)}, "depth": {"width": 2, "height": 2}}).encode()
        message = b"".join((len(text).to_bytes(4, "little"), text, jpeg, pack(depth)))
        script = """async (message) => { const { decode } = await import("/depth.js");
            const { depth, confidence } = await decode(new Uint8Array(message).buffer);
            return [[...depth], confidence]; }"""
        assert page.evaluate(script, list(message)) == [depth.ravel().tolist(), None]


def test_a_camera_that_nobody_told_is_marked(browser: Any, tmp_path: Path) -> None:
    manifest = open_bundle(write_bundle(tmp_path / "b", SIZE.height, SIZE.width)).manifest
    for camera, marked in ((Camera(), True), (Camera(fov=60), False)):
        with running(corrections=Corrections(manifest, camera)) as viewer, page_of(browser, viewer.url) as page:
            # As it is served: the first frame may be there before anybody looks.
            assert re.search(r'<span id="assumed"[^>]* hidden>', page.request.get(viewer.url).text())
            wait_for_frames(page)
            assert page.locator("#assumed").is_visible() == marked
            assert ("camera assumed" in page.locator("header").inner_text()) == marked


def test_a_picture_unlike_those_of_training_is_marked(browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with running() as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        assert page.locator("#novel").is_hidden()
        assert "unlike training" not in page.locator("#counters").inner_text()
        monkeypatch.setattr(RampEngine, "novelty", 1.5)
        page.locator("#novel").wait_for(state="visible")
        until(page, "document.getElementById('counters').innerText.includes('unlike training')")
        counted = viewer.status.now()["sources"][0]
        assert 0 < counted["novel"] <= counted["processed"]
        exposed = exposition(ViewerMetrics(SETUP, viewer.status, {})).decode()
        assert re.search(r'clipdepth_frames_novel_total\{source="[^"]+"\} [1-9]', exposed)
        monkeypatch.setattr(RampEngine, "novelty", 0.9)
        page.locator("#novel").wait_for(state="hidden")


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
    with running() as viewer, page_of(browser, viewer.url, **PHONE) as page:
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


UNSAFE = "Cross-Origin-Opener-Policy"
"""What it says of a page that comes by a name and without TLS."""


def dot(page: Any) -> tuple[int, int, int]:
    """The colour, RGB, of the dot beside those words; black where there is none."""
    script = "getComputedStyle(document.getElementById('state'), '::before').backgroundColor"
    red, green, blue, *alpha = (float(part) for part in re.findall(r"[\d.]+", page.evaluate(script)))
    return (0, 0, 0) if alpha == [0] else (int(red), int(green), int(blue))


def picture_age(page: Any) -> float:
    """The seconds that the page says since its picture was taken, of less than two minutes."""
    found = re.fullmatch(r"picture of .*\d:\d\d:\d\d.*, (\d+) s ago", page.locator("#date").inner_text())
    assert found
    return float(found[1])


def write(sink: Any, seconds_ago: float = 0) -> None:
    """Give the viewer a frame."""
    frame = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    captured = time.monotonic_ns() - int(seconds_ago * 1e9)
    sink.write(with_depth(Captured(frame, 0.0, 0, captured), np.full((HEIGHT, WIDTH), 2, np.float32)))


def test_it_comes_back_when_the_server_does(browser: Any) -> None:
    with ExitStack() as stack:
        with running() as viewer:
            address = viewer.address
            page = stack.enter_context(page_of(browser, viewer.url, LOST))
            wait_for_frames(page)
            assert not is_dimmed(page)
        becomes(page, "no connection, trying again")
        assert is_dimmed(page)
        again = open_viewer(address, None, SETUP)
        sink = again.sink("another camera")
        with again:
            becomes(page, "no new picture")
            assert is_dimmed(page)
            assert page.locator("#source").inner_text().strip() == "another camera"
            write(sink)
            becomes(page, "live")
            assert not is_dimmed(page)


def test_a_silent_network_dims_and_dates_the_picture_until_it_speaks(browser: Any) -> None:
    with running() as viewer, relay(viewer.address.port) as cable, ExitStack() as stack:
        page = stack.enter_context(page_of(browser, f"http://127.0.0.1:{cable.port}/", LOST))
        wait_for_frames(page)
        assert not page.is_visible("#date")
        pulled = time.monotonic()
        cable.frozen.set()
        becomes(page, "no new picture")
        assert time.monotonic() - pulled < 6
        becomes(page, "no connection, trying again")
        assert is_dimmed(page)
        assert abs(picture_age(page) - (time.monotonic() - pulled)) < 1.6
        cable.frozen.clear()
        becomes(page, "live")
        assert not is_dimmed(page)
        assert not page.is_visible("#date")


def test_a_camera_that_gives_no_more_is_seen_by_who_looks_and_who_comes(browser: Any) -> None:
    viewer = open_viewer(Address("127.0.0.1", 0), None, SETUP)
    sink = viewer.sink("camera")
    with viewer, page_of(browser, viewer.url) as page:
        becomes(page, "waiting for a picture")
        write(sink)
        becomes(page, "live")
        becomes(page, "no new picture")
        assert is_dimmed(page)
        write(sink, seconds_ago=40)
        with page_of(browser, viewer.url) as newcomer:
            becomes(newcomer, "no new picture")
            assert is_dimmed(newcomer)
            assert 40 <= picture_age(newcomer) < 50


def test_the_state_of_each_camera_is_said(browser: Any) -> None:
    viewer = open_viewer(Address("127.0.0.1", 0), None, SETUP)
    stop, port = threading.Event(), free_port()
    options = SourceOptions(reconnect=Reconnect(0.05, 0.1, give_up_s=10**6))
    away = open_late(f"http://127.0.0.1:{port}/camera", options)
    sources = [FramesSource(camera(stop), live=True, name="kitchen"), away]
    feeds = [Feed(source, [viewer.sink(source.name)]) for source in sources]
    with viewer, Pipeline(RampEngine(), [SIZE], feeds) as pipeline:
        viewer.watch(pipeline)
        with page_of(browser, viewer.url) as page:
            becomes(page, "live")
            options = "[...document.getElementById('source').options].map((option) => option.text)"
            until(page, f"{options}.join() === 'kitchen,{away.name} · waiting'")
            page.select_option("#source", "1")
            becomes(page, "camera not there yet, being sought")
            with mjpeg_server(port):
                becomes(page, "live")
                until(page, f"{options}.join() === 'kitchen,{away.name}'")
            becomes(page, "camera lost, being sought")
            assert is_dimmed(page)
            page.select_option("#source", "0")
            becomes(page, "live")
            assert not is_dimmed(page)
        stop.set()


def test_a_restart_with_a_new_token_asks_for_it(browser: Any) -> None:
    with ExitStack() as stack:
        with running(TOKEN) as viewer:
            address = viewer.address
            page = stack.enter_context(page_of(browser, viewer.url, LOST))
            wait_for_frames(page)
        again = open_viewer(address, "another token", SETUP)
        write(again.sink("camera"))
        with again:
            page.wait_for_selector("#ask:not([hidden])")
            assert page.locator("#state").inner_text() == "token needed"
            assert page.locator("#wrong").inner_text() == "The token that this page had is no longer valid."
            assert not page.is_visible("#main")
            page.fill("#token", "a wrong one")
            page.click("#ask button")
            until(page, "document.getElementById('wrong').textContent === 'That token is wrong.'")
            page.fill("#token", "another token")
            page.click("#ask button")
            page.wait_for_selector("#main:not([hidden])")
            assert not page.is_visible("#ask")
            until(page, "document.getElementById('main').dataset.stale === 'true'")


def test_a_link_with_a_new_token_opens_where_the_page_is_already(browser: Any) -> None:
    with running(TOKEN) as viewer, page_of(browser, f"http://{viewer.address}/") as page:
        page.wait_for_selector("#ask:not([hidden])")
        page.goto(viewer.url)
        wait_for_frames(page)
        assert not page.is_visible("#ask")
        assert page.url == f"http://{viewer.address}/"


def test_the_ninth_viewer_reads_too_many_viewers_and_gets_the_first_seat_left(browser: Any) -> None:
    with running() as viewer, ExitStack() as seats:
        url = f"ws://{viewer.address}/live/0"
        for _ in range(8):
            seats.enter_context(connect(url))
        with page_of(browser, viewer.url) as page:
            becomes(page, "too many viewers")
            assert page.locator("#notice").inner_text().startswith("Too many viewers: this device serves 8 at a time.")
            page.wait_for_timeout(2500)
            assert page.locator("#state").inner_text() == "too many viewers"
            assert not viewer.access.refused["full"]
            seats.close()
            wait_for_frames(page)
            becomes(page, "live")
            assert not page.is_visible("#notice")


def test_only_live_is_a_green_dot(browser: Any) -> None:
    def is_green(page: Any) -> bool:
        red, green, blue = dot(page)
        return green > 1.2 * max(red, blue)

    with running() as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        becomes(page, "live")
        assert is_green(page)
        page.click("#pause")
        becomes(page, "paused")
        assert not is_green(page)
        assert not is_dimmed(page)
        assert picture_age(page) < 10
        page.click("#pause")
        becomes(page, "live")
        assert is_green(page)


def test_another_cameras_picture_is_not_left_behind(browser: Any) -> None:
    viewer = open_viewer(Address("127.0.0.1", 0), None, SETUP)
    sinks = [viewer.sink(name) for name in ("one", "two")]
    with viewer, page_of(browser, viewer.url) as page:
        write(sinks[0])
        becomes(page, "live")
        assert page.inner_text("#age").endswith(" ms")
        page.select_option("#source", "1")
        becomes(page, "waiting for a picture")
        assert page.inner_text("#age") == "–"
        assert pixel(page, "picture", 0.5, 0.5) == [0, 0, 0]
        assert not page.is_visible("#date")


def test_a_proxy_that_keeps_the_browsers_host(browser: Any) -> None:
    def opened(viewer: Viewer) -> AbstractContextManager[Any]:
        return page_of(browser, f"http://{NAME}:{viewer.address.port}/", f"421|{UNSAFE}")

    with running() as viewer, opened(viewer) as page:
        assert "add --allowed-host" in page.inner_text("body")
    with running(allowed=Allowed(hosts=(NAME,))) as viewer, opened(viewer) as page:
        wait_for_frames(page)


def test_a_proxy_that_sends_a_host_of_its_own(browser: Any) -> None:
    address = Address("127.0.0.1", free_port())
    with relay(address.port, host="127.0.0.1") as proxy:
        own = f"http://{NAME}:{proxy.port}"
        for allowed in (Allowed(), Allowed(origins=(own,))):
            viewer = open_viewer(address, None, SETUP, allowed=allowed)
            write(viewer.sink("camera"))
            with viewer, page_of(browser, own, f"403|{UNSAFE}") as page:
                if allowed.origins:
                    wait_for_frames(page)
                else:
                    until(page, "getComputedStyle(document.getElementById('notice')).opacity === '1'")
                    assert "--allowed-origin" in page.inner_text("#notice")


def test_a_proxy_that_passes_no_websockets_on_is_told(browser: Any) -> None:
    with running() as viewer, relay(viewer.address.port, websockets=False) as proxy, ExitStack() as stack:
        page = stack.enter_context(page_of(browser, f"http://127.0.0.1:{proxy.port}/", LOST))
        becomes(page, "refused, trying again")
        assert "let it pass WebSockets on" in page.inner_text("#notice")
