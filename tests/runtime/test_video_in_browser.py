"""Videos of `--output` in a real browser's <video>."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipdepth.cli.demo_report import VIDEO
from clipdepth.sinks import open_sink
from clipdepth.sinks.video_writer import FORMATS
from clipdepth.sources import Captured
from depth_frames import with_depth
from live_servers import web_server

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium (Debian: chromium)")

TIMES = [0, 0.5, 0.6, 1.4]
"""When the picture becomes brighter, seconds."""
SHOW = """async ([url, times]) => {
  const video = document.createElement('video'), canvas = document.createElement('canvas');
  video.muted = true;
  // As a whole: Python's web server cannot send the part that a seek asks for.
  video.src = URL.createObjectURL(await (await fetch(url)).blob());
  await new Promise((done, fail) => { video.oncanplay = done; video.onerror = () => fail(video.error.message); });
  const levels = [];
  for (const time of times) {
    await new Promise(done => { video.onseeked = done; video.currentTime = time; });
    // The picture is painted a moment after the seek has ended.
    await new Promise(done => setTimeout(done, 300));
    canvas.width = video.videoWidth; canvas.height = video.videoHeight;
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0);
    levels.push(Array.from(context.getImageData(30, 24, 1, 1).data).slice(0, 3));
  }
  return JSON.stringify({levels, size: [video.videoWidth, video.videoHeight], duration: video.duration});
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


# Chromium knows QuickTime and Matroska by no type of theirs, and plays what is in them.
@pytest.mark.parametrize("suffix", [suffix for suffix in FORMATS if suffix != ".mkv"])
def test_chromium_shows_each_picture_at_its_time_and_in_its_colours(browser: Any, tmp_path: Path, suffix: str) -> None:
    colours = [(40, 40, 40), (30, 180, 40), (200, 60, 60), (220, 220, 220)]
    with open_sink(tmp_path / f"x{suffix}", 0.3, 6) as sink:
        for index, (seconds, colour) in enumerate(zip(TIMES, colours, strict=True)):
            picture = np.full((48, 64, 3), colour[::-1], np.uint8)
            sink.write(with_depth(Captured(picture, 10 + seconds, index), np.full((48, 64), 2, np.float32)))
    (tmp_path / "page.html").write_text("<!doctype html><title>x</title>")
    page = browser.new_page()
    with web_server(tmp_path) as url:
        page.goto(f"{url}/page.html")
        found = json.loads(page.evaluate(SHOW, [f"{url}/x{suffix}", [time + 0.05 for time in TIMES]]))
    page.close()
    assert found["duration"] == pytest.approx(1.4 + 0.8, abs=0.05)
    assert found["size"][1] == 48
    # When it seeks in a WebM, Chromium guesses how long a picture stands that is followed by another cluster.
    sure = [0, 1, 3] if suffix == ".webm" else [0, 1, 2, 3]
    assert np.abs(np.array(found["levels"])[sure] - np.array(colours)[sure]).max() <= 8


def test_the_demos_report_plays_its_clip(browser: Any, tmp_path: Path) -> None:
    with open_sink(tmp_path / "depth.mp4", 0.3, 6) as sink:
        for index, seconds in enumerate(TIMES):
            picture = np.full((48, 64, 3), 60 * index, np.uint8)
            sink.write(with_depth(Captured(picture, seconds, index), np.full((48, 64), 2, np.float32)))
    (tmp_path / "report.html").write_text(f"<!doctype html><title>x</title>{VIDEO}")
    page = browser.new_page()
    with web_server(tmp_path) as url:
        page.goto(f"{url}/report.html")
        page.wait_for_function("document.querySelector('video').readyState >= 2")
        page.evaluate("document.querySelector('video').play()")
        page.wait_for_function("document.querySelector('video').currentTime > 0.2")
        assert page.evaluate("document.querySelector('video').videoHeight") == 48
        assert page.evaluate("document.querySelector('video').duration") == pytest.approx(1.4 + 0.8, abs=0.05)
    page.close()
