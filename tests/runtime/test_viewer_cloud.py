"""The viewer's cloud in a real browser, on rooms whose depth is exact."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import cv2
import numpy as np
import pytest

from browsers import CHROMIUM, PHONE, fed, launched, page_of, until, wait_for_frames
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.rooms import Room, default_intrinsics
from clipdepth.sinks.depth_picture import INVALID
from clipdepth.sources import Captured
from clipdepth.web import Address
from clipdepth.web.viewer import Setup, open_viewer
from clipdepth.web.viewer.viewer import Viewer
from depth_frames import with_depth
from live_servers import wait_until

pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium (Debian: chromium)")

HEIGHT, WIDTH = 240, 320
SETUP = Setup("rooms", "CPU", "exact", 0.5, 9)
MARKS = {(0, 255, 0): (45, 40), (0, 0, 255): (220, 180)}
"""Colours, BGR, and the pixels, (column, row), that squares of them lie around, each on one plane of the room."""
HALF = 5
GRAPHICS = """const real = WebGL2RenderingContext.prototype.getParameter;
    WebGL2RenderingContext.prototype.getParameter = function (name) {
        return name === 0x9246 ? "a graphics processor" : real.call(this, name); };"""
"""Makes the page take software that stands in for a graphics processor for one: WebGL draws the cloud."""
PAINTERS = pytest.mark.parametrize("script", ["", GRAPHICS], ids=["processor", "graphics"])


@dataclass(frozen=True)
class Scene:
    """A room with marks."""

    image: np.ndarray
    depth: np.ndarray
    pinhole: Intrinsics

    def point(self, column: int, row: int) -> np.ndarray:
        """The renderer's place of a pixel, (3,) metres."""
        rays = np.linalg.inv(self.pinhole.matrix) @ (column, row, 1)
        return np.asarray(rays * self.depth[row, column])

    def distances(self) -> np.ndarray:
        """Metres between the marks' middles, and between the pixels around those: a click may be a pixel off."""
        near = [(dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
        ends = [[self.point(column + dx, row + dy) for dx, dy in near] for column, row in MARKS.values()]
        return np.array([np.linalg.norm(one - other) for one in ends[0] for other in ends[1]])


@pytest.fixture(scope="module")
def scene() -> Scene:
    pinhole = default_intrinsics(HEIGHT, WIDTH)
    shot = Room(20).render(0.0, pinhole)
    image = shot.frame.copy()
    for colour, (column, row) in MARKS.items():
        area = np.s_[row - HALF : row + HALF + 1, column - HALF : column + HALF + 1]
        image[area] = colour
        # Across a plane inverse depth is affine.
        assert np.abs(np.diff(1 / shot.depth[area].astype(float), 2, axis=1)).max() < 1e-6
    return Scene(image, shot.depth, pinhole)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as browser:
        yield browser


@contextmanager
def showing(scene: Scene, setup: Setup = SETUP, confidence: np.ndarray | None = None) -> Iterator[Viewer]:
    """A viewer that gets the scene ten times a second, with its confidence, if any, (H, W) float32."""
    taken = (Captured(scene.image, index / 10, index) for index in count())
    changes: dict[str, Any] = {"kind": setup.kind, "raw_confidence": confidence}
    frames = (replace(with_depth(each, scene.depth, scene.pinhole), **changes) for each in taken)
    with fed(open_viewer(Address("127.0.0.1", 0), None, setup), "room", frames, 0.1) as viewer:
        yield viewer


@contextmanager
def cloud_of(browser: Any, viewer: Viewer, **options: Any) -> Iterator[Any]:
    """A page with the cloud shown."""
    with page_of(browser, viewer.url, **options) as page:
        wait_for_frames(page)
        page.click("#solid")
        page.wait_for_selector("#cloud")
        assert wait_until(lambda: len(marks_seen(page)) == len(MARKS), 60)
        yield page


def marks_seen(page: Any, colours: Iterable[Any] = MARKS) -> list[tuple[float, float]]:
    """Where marks of these colours are in the page as it is on the screen, CSS pixels; those that are seen."""
    box = page.locator("#cloud").bounding_box()
    picture = cv2.imdecode(np.frombuffer(page.screenshot(clip=box, scale="css"), np.uint8), cv2.IMREAD_COLOR)
    found = []
    for colour in colours:
        mask = np.abs(picture.astype(int) - colour).max(axis=2) < 60
        rows, columns = np.nonzero(mask)
        if len(rows) >= 9:
            found.append((box["x"] + float(np.median(columns)) + 0.5, box["y"] + float(np.median(rows)) + 0.5))
    return found


def gap(page: Any) -> np.ndarray:
    """From the one mark to the other on the screen, CSS pixels."""
    first, second = marks_seen(page)
    return np.subtract(second, first)


def measured(page: Any, press: Any) -> float:
    """Click the marks, by the mouse or a finger; the metres that the page says."""
    said = "document.getElementById('span').textContent"
    first, second = marks_seen(page)
    press(*first)
    until(page, f"{said} === 'now the second point'")
    press(*second)
    until(page, f"{said}.endsWith(' m')")
    return float(page.evaluate(said).removesuffix(" m"))


def is_the_renderers(metres: float, scene: Scene) -> bool:
    """Whether a distance is that of the marks, but for a pixel and a millimetre of either end."""
    return bool(np.abs(scene.distances() - metres).min() < 0.002)


def fingers(page: Any, *ways: tuple[tuple[float, float], tuple[float, float]]) -> None:
    """Move a finger along each way, from its first place to its second."""
    line = page.context.new_cdp_session(page)

    def send(kind: str, share: float) -> None:
        places = [tuple(a + share * (b - a) for a, b in zip(*way, strict=True)) for way in ways]
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        line.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", 0)
    for step in range(1, 9):
        send("touchMove", step / 8)
    line.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


@PAINTERS
def test_a_distance_is_the_renderers_from_every_side(browser: Any, scene: Scene, script: str) -> None:
    with showing(scene) as viewer, cloud_of(browser, viewer, script=script) as page:
        # What a pixel is allowed to change is little: a wrong axis or focal length would be seen.
        assert np.ptp(scene.distances()) < 0.04 * scene.distances().min()
        assert is_the_renderers(measured(page, page.mouse.click), scene)
        before = gap(page)
        box = page.locator("#cloud").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x - 60, y + 30, steps=4)
        page.mouse.up()
        assert wait_until(lambda: np.abs(gap(page) - before).max() > 15, 5)
        assert page.locator("#span").text_content().endswith(" m")  # A drag is no click.
        assert is_the_renderers(measured(page, page.mouse.click), scene)
        before = gap(page)
        page.mouse.wheel(0, -200)
        assert wait_until(lambda: np.linalg.norm(gap(page)) > 1.1 * np.linalg.norm(before), 5)
        first = marks_seen(page)[0]
        page.keyboard.down("Shift")
        page.mouse.down()
        page.mouse.move(x + 40, y + 20, steps=4)
        page.mouse.up()
        page.keyboard.up("Shift")
        assert wait_until(lambda: marks_seen(page)[0] != first, 5)
        page.click("#reset")
        assert page.locator("#span").text_content() == ""


def test_fingers_turn_and_pinch_on_a_phone(browser: Any, scene: Scene) -> None:
    with showing(scene) as viewer, cloud_of(browser, viewer, **PHONE) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        box = page.locator("#cloud").bounding_box()
        assert box["width"] > 350
        assert page.locator("#solid").bounding_box()["y"] < 844
        before = gap(page)
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        fingers(page, ((x, y), (x - 50, y + 20)))
        assert wait_until(lambda: np.abs(gap(page) - before).max() > 8, 5)
        assert page.evaluate("scrollY") == 0
        before = gap(page)
        fingers(page, ((x - 40, y), (x - 55, y)), ((x + 40, y), (x + 55, y)))
        assert wait_until(lambda: np.linalg.norm(gap(page)) > 1.1 * np.linalg.norm(before), 5)
        assert page.evaluate("visualViewport.scale") == 1
        assert page.locator("#span").text_content() == ""
        assert is_the_renderers(measured(page, page.touchscreen.tap), scene)


@PAINTERS
def test_what_is_unsure_fades_and_where_nothing_is_known_there_are_no_points(
    browser: Any, scene: Scene, script: str
) -> None:
    """As beside the picture: green is half sure, red not at all."""
    confidence = np.full(scene.depth.shape, 0.5, np.float32)
    confidence[:, WIDTH // 2 :] = 0
    green, red = MARKS
    faded = np.add(INVALID, np.subtract(green, INVALID) * 0.5)
    setup = replace(SETUP, confidence=True)
    with showing(scene, setup, confidence) as viewer, page_of(browser, viewer.url, script=script) as page:
        wait_for_frames(page)
        page.click("#solid")
        assert page.is_checked("#fade")
        assert wait_until(lambda: len(marks_seen(page, [faded])) == 1, 15)
        assert not marks_seen(page, [red])
        page.uncheck("#fade")
        assert wait_until(lambda: len(marks_seen(page)) == 2, 15)
        page.mouse.click(*marks_seen(page)[1])
        until(page, "document.getElementById('span').textContent === 'now the second point'")
        page.check("#fade")
        until(page, "document.getElementById('span').textContent === 'unknown'")
        assert wait_until(lambda: not marks_seen(page), 15)


def test_frames_share_the_graphics_memory_of_the_first(browser: Any, scene: Scene) -> None:
    counting = """window.made = 0;
        for (const name of ["createTexture", "createBuffer", "createProgram", "texStorage2D", "bufferData"]) {
            const real = WebGL2RenderingContext.prototype[name];
            WebGL2RenderingContext.prototype[name] = function (...given) {
                window.made++;
                return real.apply(this, given);
            };
        }"""
    with showing(scene) as viewer, cloud_of(browser, viewer, script=GRAPHICS + counting) as page:
        made, sent = page.evaluate("window.made"), viewer.status.sent
        assert made > 0
        assert wait_until(lambda: viewer.status.sent > sent + 20, 60)
        assert page.evaluate("window.made") == made


def test_a_lost_graphics_processor_comes_back(browser: Any, scene: Scene) -> None:
    with showing(scene) as viewer, cloud_of(browser, viewer, script=GRAPHICS) as page:
        page.evaluate("""window.away = document.getElementById("cloud").getContext("webgl2")
            .getExtension("WEBGL_lose_context"); away.loseContext()""")
        assert wait_until(lambda: not marks_seen(page), 5)
        page.evaluate("away.restoreContext()")
        assert wait_until(lambda: len(marks_seen(page)) == len(MARKS), 10)


@PAINTERS
def test_a_snapshot_is_of_the_cloud_and_what_was_measured(browser: Any, scene: Scene, script: str) -> None:
    with showing(scene) as viewer, cloud_of(browser, viewer, script=script) as page:
        measured(page, page.mouse.click)
        with page.expect_download() as download:
            page.click("#snapshot")
        picture = cv2.imread(str(download.value.path()))
        for colour in MARKS:
            assert (np.abs(picture.astype(int) - colour).max(axis=2) < 60).sum() >= 9
        shape = page.evaluate("[document.getElementById('cloud').height, document.getElementById('cloud').width]")
        assert list(picture.shape[:2]) == shape


@pytest.mark.parametrize(
    ("changes", "setup", "words"),
    [
        ({}, replace(SETUP, near=1.0, far=2.0, kind="disparity"), "relative and has no metres"),
        (
            {"pinhole": Intrinsics.unknown(WIDTH, HEIGHT)},
            SETUP,
            "Give clipdepth run --fov, --focal-px or --calibration",
        ),
    ],
)
def test_what_has_no_place_in_space_says_so(
    browser: Any, scene: Scene, changes: dict[str, Any], setup: Setup, words: str
) -> None:
    with showing(replace(scene, **changes), setup) as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        page.click("#solid")
        until(page, "!document.getElementById('obstacle').hidden")
        assert words in page.inner_text("#obstacle")
        assert not marks_seen(page)
        box = page.locator("#cloud").bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3)
        page.wait_for_timeout(200)
        assert page.locator("#span").text_content() == ""
        assert not re.search(r"\d m\b", page.locator(".space").inner_text())
        page.click("#solid")
        assert page.is_visible("#depth")


def test_a_browser_without_webgl_has_the_cloud_too(browser: Any, scene: Scene) -> None:
    without = """const real = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, ...given) {
            return kind === "webgl2" ? null : real.call(this, kind, ...given); };"""
    with showing(scene) as viewer, cloud_of(browser, viewer, script=without) as page:
        assert page.is_hidden("#obstacle")
        assert is_the_renderers(measured(page, page.mouse.click), scene)
        page.click("#solid")
        assert page.is_visible("#depth")


def test_both_painters_draw_the_same_from_every_side(browser: Any, scene: Scene) -> None:
    """Points that WebGL draws as squares are boxes in the other, so edges differ, by a pixel or two."""
    turns = ([], ["ArrowRight"] * 3, ["ArrowUp"] * 2 + ["+"] * 4, ["ArrowRight"] * 14)
    pictures: dict[bool, list[np.ndarray]] = {}
    for script in ("", GRAPHICS):
        with showing(scene) as viewer, cloud_of(browser, viewer, script=script) as page:
            page.click("#pause")
            by_graphics = page.evaluate("document.getElementById('cloud').getContext('2d') === null")
            pictures[by_graphics] = []
            for keys in turns:
                for key in keys:
                    page.press("#cloud", key)
                page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
                pictures[by_graphics].append(picture_of(page))
    for one, other in zip(pictures[False], pictures[True], strict=True):
        assert (one.max(axis=2) > 30).mean() > 0.1
        assert differing(one, other) < 0.03
    assert differing(pictures[True][0], pictures[True][1]) > 0.1


def picture_of(page: Any) -> np.ndarray:
    """The cloud on the screen, (H, W, 3) int BGR."""
    box = page.locator("#cloud").bounding_box()
    return cv2.imdecode(np.frombuffer(page.screenshot(clip=box), np.uint8), cv2.IMREAD_COLOR).astype(int)


def differing(one: np.ndarray, other: np.ndarray) -> float:
    """The share of pixels that differ from all those around them in the other picture."""
    ways = [np.roll(other, (dx, dy), (1, 0)) for dx in range(-2, 3) for dy in range(-2, 3)]
    return float((np.min([np.abs(one - each).max(axis=2) for each in ways], axis=0) > 24).mean())
