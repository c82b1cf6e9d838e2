"""A sensor's own depth in the viewer: what the page is told of it, and what it shows."""

import itertools
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from browsers import CHROMIUM, PHONE, fed, hovered, launched, page_of, until, wait_for_frames
from clipdepth.frame import DepthFrame
from clipdepth.rooms import default_intrinsics
from clipdepth.sinks.depth_picture import INVALID, colourise
from clipdepth.web import Address
from clipdepth.web.viewer import Setup, open_viewer
from clipdepth.web.viewer.messages import Shot, encode
from clipdepth.web.viewer.viewer import Viewer

HEIGHT, WIDTH = 240, 320
SETUP = Setup("ramp", "CPU", "fp32", 0.5, 4.5)
RATIOS = (0.6, 0.75, 0.9, 1.0, 1.1, 1.25, 2.0, np.nan)
"""Depth / measured in the eight columns of the scene, from left to right."""
NEARER, SAME, FARTHER = ((0x1F, 0x6F, 0xD0), (0xF2, 0xF2, 0xF2), (0xD4, 0x54, 0x1A))


def scene() -> DepthFrame:
    """Depth that grows from top to bottom, NaN in the last eighth, and measured depth by columns of `RATIOS`."""
    depth = np.tile(np.linspace(1, 4, HEIGHT, dtype=np.float32)[:, None], (1, WIDTH))
    depth[-HEIGHT // 8 :] = np.nan
    measured = np.nan_to_num(depth, nan=2.5) / np.repeat(np.float32(RATIOS), WIDTH // len(RATIOS))
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    return DepthFrame(image, depth, default_intrinsics(HEIGHT, WIDTH), measured=measured.astype(np.float32))


def planes(message: bytes) -> dict[str, np.ndarray]:
    """The planes of a message, by what its header says of them."""
    length = int.from_bytes(message[:4], "little")
    header = json.loads(message[4 : 4 + length])
    start, found = 4 + length + header["picture"]["bytes"], {}
    for name, kind in (("depth", "<u2"), ("confidence", "u1"), ("measured", "<u2")):
        if name in header:
            end = start + header[name]["bytes"]
            steps = np.frombuffer(zlib.decompress(message[start:end]), kind)
            found[name] = np.cumsum(steps, dtype=steps.dtype).reshape(header["depth"]["height"], -1)
            start = end
    assert start == len(message)
    return found


@pytest.mark.parametrize("sure", [True, False])
@pytest.mark.parametrize(("height", "width"), [(48, 64), (60, 400)])
def test_a_message_has_it_at_the_places_of_depth(height: int, width: int, sure: bool) -> None:
    """Of a picture of five times the network's size: the pixel in the middle of what a cell of depth shows."""
    raw = np.arange(1, height * width + 1, dtype=np.float32).reshape(height, width) / 1000
    measured = np.kron(raw, np.ones((5, 5), np.float32)) + 0.5
    measured[:5] = np.nan
    image = np.zeros((*measured.shape, 3), np.uint8)
    confidence = np.ones_like(raw) if sure else None
    frame = DepthFrame(image, raw, default_intrinsics(5 * height, 5 * width), raw_confidence=confidence)
    found = planes(encode(Shot(0, replace(frame, measured=measured), 0.0)))
    assert found["measured"].shape == found["depth"].shape
    assert (found["measured"][0] == 0).all()
    np.testing.assert_array_equal(found["measured"][1:], found["depth"][1:] + 500)
    relative = replace(frame, measured=measured, kind="relative")
    for without in (frame, relative):
        message = encode(Shot(0, without, 0.0))
        assert "measured" not in planes(message)
        assert b"measured" not in message


@contextmanager
def showing(frame: DepthFrame) -> Iterator[Viewer]:
    frames = (replace(frame, time=index / 10, index=index) for index in itertools.count())
    with fed(open_viewer(Address("127.0.0.1", 0), None, SETUP), "sensor", frames, 0.1) as viewer:
        yield viewer


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if not CHROMIUM:
        pytest.skip("needs Chromium (Debian: chromium)")
    with launched() as browser:
        yield browser


def pixel(page: Any, x: float, y: float) -> list[int]:
    """The colour, RGB, of what is shown beside the picture."""
    script = """([x, y]) => { const c = document.getElementById("depth");
        return [...c.getContext("2d").getImageData(x * c.width, y * c.height, 1, 1).data.slice(0, 3)]; }"""
    found: list[int] = page.evaluate(script, [x, y])
    return found


def middles() -> list[tuple[float, float]]:
    return [(ratio, (column + 0.5) / len(RATIOS)) for column, ratio in enumerate(RATIOS)]


def test_the_page_tells_it_and_the_difference_under_the_pointer(browser: Any) -> None:
    with showing(scene()) as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        until(page, "!document.getElementById('shows').hidden")
        ours = float(scene().depth[HEIGHT // 2, 0])
        for ratio, x in middles()[:-1]:
            its = round(ours / ratio, 3)
            first, second, third = hovered(page, x, 0.501).replace("−", "-").splitlines()
            assert first == f"{ours:.3f} m"
            assert float(second.removeprefix("measured ").removesuffix(" m")) == pytest.approx(its, abs=0.0011)
            metres, share = third.removesuffix("%").split(" m, ")
            assert metres[0] in "+-"
            assert float(metres) == pytest.approx(ours - its, abs=0.0021)
            assert float(share) == pytest.approx(100 * (ratio - 1), abs=0.15)
        assert hovered(page, middles()[-1][1], 0.501) == f"{ours:.3f} m\nmeasured: unknown"
        assert hovered(page, middles()[3][1], 0.95) == "unknown\nmeasured 2.500 m"


def test_the_page_shows_measured_depth_or_the_difference(browser: Any) -> None:
    frame, unknown = scene(), [INVALID] * 3
    assert frame.measured is not None
    with showing(frame) as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        until(page, "!document.getElementById('shows').hidden")
        for chosen, plane in (("measured", frame.measured), ("depth", frame.depth)):
            page.select_option("#which", chosen)
            for _, x in middles():
                row, column = int(0.51 * HEIGHT), int(x * WIDTH)
                colour = colourise(plane[row : row + 1, column : column + 1], 0.5, 4.5)[0, 0, ::-1]
                assert np.abs(np.subtract(pixel(page, x, 0.51), colour.astype(int))).max() <= 12
            assert page.locator("#bar").get_attribute("aria-label") == "colours of depth in metres"
        assert page.locator("#near").is_visible()

        page.select_option("#which", "difference")
        for ratio, x in middles()[:-1]:
            share = min(max((ratio - 0.75) / 0.25, 0), 2)
            low, high = (NEARER, SAME) if share <= 1 else (SAME, FARTHER)
            colour = np.array(low) + (np.array(high) - low) * (share if share <= 1 else share - 1)
            assert np.abs(pixel(page, x, 0.51) - colour).max() <= 3
        assert pixel(page, middles()[-1][1], 0.51) == unknown
        assert pixel(page, middles()[3][1], 0.95) == unknown
        assert "difference" in page.locator("#bar").get_attribute("aria-label")
        assert not page.locator("#near").is_visible()


def test_a_source_without_it_offers_no_choice(browser: Any) -> None:
    """Nor does a phone's page grow beyond its width where there is one."""
    with showing(replace(scene(), measured=None)) as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        assert not page.locator("#shows").is_visible()
        assert "\n" not in hovered(page, 0.5, 0.5)
    with showing(scene()) as viewer, page_of(browser, viewer.url, **PHONE) as page:
        wait_for_frames(page)
        until(page, "!document.getElementById('shows').hidden")
        page.select_option("#which", "difference")
        view = page.locator("#depth").bounding_box()
        for x, y in ((0.05, 0.05), (0.59, 0.59), (0.61, 0.61), (0.95, 0.95)):
            page.touchscreen.tap(view["x"] + x * view["width"], view["y"] + y * view["height"])
            label = page.locator("#distance").bounding_box()
            assert view["x"] <= label["x"] <= label["x"] + label["width"] <= view["x"] + view["width"] + 0.5
            assert view["y"] <= label["y"] <= label["y"] + label["height"] <= view["y"] + view["height"] + 0.5
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["viewport"]["width"]
