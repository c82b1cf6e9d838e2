"""Recordings of the viewer's page, played in it, in a real browser."""

import base64
import json
import re
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from browsers import CHROMIUM, LOST, becomes, fed, hover, is_dimmed, launched, page_of, until, wait_for_frames
from clipdepth.sources import Captured
from clipdepth.web import Address
from clipdepth.web.viewer import Setup, open_viewer
from clipdepth.web.viewer.viewer import Viewer
from depth_frames import with_depth

pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium (Debian: chromium)")

HEIGHT, WIDTH = 120, 160
SETUP = Setup("counting", "CPU", "exact", 0.5, 9)
MARK = b"clipdepth frames"
ONLY_WEBM = """const real = MediaRecorder.isTypeSupported;
    MediaRecorder.isTypeSupported = (type) => type.startsWith("video/webm") && real.call(MediaRecorder, type);"""


def metres(index: int) -> float:
    """How far the wall of a frame is."""
    return 1 + index % 400 / 100


@contextmanager
def counting(address: Address | None = None) -> Iterator[Viewer]:
    """A viewer of a green wall that goes away by a centimetre a frame."""
    image = np.full((HEIGHT, WIDTH, 3), (30, 180, 40), np.uint8)
    frames = (
        with_depth(Captured(image, index / 20, index), np.full((HEIGHT, WIDTH), metres(index), np.float32))
        for index in range(10_000)
    )
    with fed(open_viewer(address or Address("127.0.0.1", 0), None, SETUP), "wall <i>", frames, 0.05) as viewer:
        yield viewer


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as browser:
        yield browser


def record(page: Any, folder: Path, seconds: float) -> Path:
    """Record what the page shows."""
    page.click("#record")
    page.wait_for_timeout(seconds * 1000)
    with page.expect_download() as download:
        page.click("#record")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


@pytest.fixture(scope="module", params=["", ONLY_WEBM], ids=["default", "webm"])
def recording(browser: Any, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of the wall."""
    with counting() as viewer, page_of(browser, viewer.url, script=request.param) as page:
        wait_for_frames(page)
        path = record(page, tmp_path_factory.mktemp("recorded"), 2)
        # A busy computer may record one frame in that time, in which there is nothing to play.
        while len(frames_in(path)) < 5:
            path = record(page, tmp_path_factory.mktemp("recorded"), 2)
    assert not request.param or path.suffix == ".webm"
    return path


def frames_in(path: Path) -> list[tuple[int, int]]:
    """The milliseconds and the number of each frame of a recording, read as `recording.js` documents it."""
    data = path.read_bytes()
    assert data.endswith(MARK)
    (length,) = struct.unpack_from("<I", data, len(data) - len(MARK) - 4)
    end = len(data) - len(MARK) - 4 - length
    index = json.loads(data[end : end + length])
    place = end - sum(size for _, size in index["frames"])
    found = []
    for ms, size in index["frames"]:
        (head,) = struct.unpack_from("<I", data, place)
        found.append((ms - index["frames"][0][0], json.loads(data[place + 4 : place + 4 + head])["frame"]))
        place += size
    return found


def show(page: Any, path: Path) -> None:
    page.set_input_files("#file", path)


def seek(page: Any, ms: float) -> None:
    page.evaluate(
        """(ms) => {
            const bar = document.getElementById("seek");
            bar.value = ms;
            bar.dispatchEvent(new Event("input"));
        }""",
        ms,
    )


def wall_seen(page: Any) -> float:
    return hover(page, 0.5, 0.5)


def test_other_players_play_it_as_a_video(recording: Path) -> None:
    video = cv2.VideoCapture(str(recording))
    frames = 0
    while video.read()[0]:
        frames += 1
    video.release()
    assert frames > 5


def test_every_frame_is_found_without_the_server(browser: Any, recording: Path) -> None:
    frames = frames_in(recording)
    assert len(frames) > 10
    with ExitStack() as stack:
        with counting() as viewer:
            address = viewer.address
            page = stack.enter_context(page_of(browser, viewer.url, LOST))
            wait_for_frames(page)
        becomes(page, "no connection, trying again")
        show(page, recording)
        becomes(page, "playing a recording")
        assert not is_dimmed(page)
        assert page.is_visible("#playback")
        assert page.locator("#recorded").inner_text().startswith("wall <i> · ")
        page.click("#pause")
        for number in (len(frames) - 1, 0, len(frames) // 2, 3):
            ms, index = frames[number]
            seek(page, ms)
            until(page, f"document.getElementById('seek').valueAsNumber === {ms}")
            page.wait_for_timeout(150)
            assert wall_seen(page) == pytest.approx(metres(index), abs=0.0011), number
        page.wait_for_timeout(300)
        assert wall_seen(page) == pytest.approx(metres(frames[3][1]), abs=0.0011)
        assert page.locator("#state").inner_text() == "playing a recording"
        with counting(address):
            page.click("#live")
            becomes(page, "paused")
            page.click("#pause")
            becomes(page, "live")
            assert not page.is_visible("#playback")
            assert page.locator("#source").inner_text().strip() == "wall <i>"


def test_it_plays_at_its_pace_in_both_views_and_again(browser: Any, recording: Path) -> None:
    frames = frames_in(recording)
    seconds = frames[-1][0] / 1000
    with counting() as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        show(page, recording)
        # Before a recording is open the bar, which is hidden, stands in its middle.
        until(page, "!document.getElementById('playback').hidden && document.getElementById('seek').valueAsNumber > 0")
        sent, start = viewer.status.sent, time.monotonic()
        page.click("#solid")
        until(page, "document.getElementById('pause').textContent === 'Resume'")
        assert seconds - 1.5 < time.monotonic() - start < seconds + 3
        assert viewer.status.sent <= sent + 2  # Nobody asks for live frames meanwhile.
        box = page.locator("#cloud").bounding_box()
        picture = cv2.imdecode(np.frombuffer(page.screenshot(clip=box), np.uint8), cv2.IMREAD_COLOR)
        assert (np.abs(picture.astype(int) - (30, 180, 40)).max(axis=2) < 12).mean() > 0.05
        page.click("#solid")
        assert wall_seen(page) == pytest.approx(metres(frames[-1][1]), abs=0.0011)
        page.click("#pause")
        until(page, f"document.getElementById('seek').valueAsNumber < {500 * seconds}")
        with page.expect_download() as download:
            page.click("#snapshot")
        assert download.value.suggested_filename[:17] == recording.name[:17]  # The day that it was recorded.


def test_what_is_no_recording_says_so_and_the_camera_goes_on(browser: Any, recording: Path, tmp_path: Path) -> None:
    data = recording.read_bytes()
    foot = len(MARK) + 4
    bad = {
        "empty": b"",
        "words": b"no video",
        "cut": data[: len(data) // 2],
        "head": data[len(data) // 2 :],
        "long": data[:-foot] + b"\xff\xff\xff\xff" + MARK,
        "index": data[: -foot - 3] + b"]]]" + data[-foot:],
        "colours": data.replace(b'"colours":["', b'"colours":["url(', 1)[4:],
    }
    with counting() as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        for name, spoilt in bad.items():
            path = tmp_path / f"{name}.mp4"
            path.write_bytes(spoilt)
            show(page, path)
            until(page, f"document.getElementById('unreadable').textContent.startsWith('{name}.mp4 ')")
            words = page.inner_text("#unreadable")
            assert "has no depth in it" in words or "is damaged" in words
            assert page.locator("#state").inner_text() == "live"
        show(page, recording)
        becomes(page, "playing a recording")
        assert not page.is_visible("#unreadable")


def test_a_damaged_frame_stops_it_with_a_word(browser: Any, recording: Path, tmp_path: Path) -> None:
    data = bytearray(recording.read_bytes())
    place = data.rindex(b'{"number":')  # In the head of the last frame.
    data[place : place + 9] = b"}" * 9
    path = tmp_path / "spoilt.mp4"
    path.write_bytes(data)
    with counting() as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        show(page, path)
        until(page, "document.getElementById('unreadable').textContent.startsWith('spoilt.mp4 is damaged here')")
        assert page.locator("#pause").inner_text() == "Resume"
        seek(page, 0)
        page.wait_for_timeout(200)
        assert wall_seen(page) == pytest.approx(metres(frames_in(recording)[0][1]), abs=0.0011)


def test_a_frame_of_absurd_size_is_refused_in_a_sentence(browser: Any, recording: Path, tmp_path: Path) -> None:
    data = recording.read_bytes()
    head, tail = data[: (place := data.rindex(b'"depth":{'))], data[place:]
    size = re.search(rb'"width":\d+,"height":\d+', tail)
    assert size
    path = tmp_path / "absurd.mp4"
    path.write_bytes(head + tail.replace(size[0], b'"width":9e9,"height":9'.ljust(len(size[0])), 1))
    assert path.stat().st_size == len(data)
    with counting() as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        show(page, path)
        words = "absurd.mp4 is damaged here: its depth is 9000000000×9, and this page shows 4194304 pixels at most"
        until(page, f"document.getElementById('unreadable').textContent === '{words}'")
        assert page.is_visible("#unreadable")
        becomes(page, "playing a recording")


def test_no_more_of_a_plane_is_inflated_than_it_has_pixels(browser: Any) -> None:
    """A megabyte that inflates to a gigabyte, for a depth of four pixels; and too little."""
    jpeg = cv2.imencode(".jpg", np.zeros((2, 2, 3), np.uint8))[1].tobytes()
    deflate = zlib.compressobj()
    bomb = b"".join(deflate.compress(bytes(2**20)) for _ in range(2**10)) + deflate.flush()
    script = """async (message) => { const { decode } = await import("/depth.js");
        const bytes = Uint8Array.from(atob(message), (each) => each.charCodeAt(0));
        try { await decode(bytes.buffer); return ""; } catch (error) { return error.message; } }"""
    with counting() as viewer, page_of(browser, viewer.url) as page:
        wait_for_frames(page)
        for packed in (bomb, zlib.compress(bytes(6))):
            head = {"picture": {"bytes": len(jpeg)}, "depth": {"width": 2, "height": 2, "bytes": len(packed)}}
            text = json.dumps(head).encode()
            message = len(text).to_bytes(4, "little") + text + jpeg + packed
            said = page.evaluate(script, base64.b64encode(message).decode())
            assert said == "its depth has another size than it says"
