"""What the viewer's page is told of confidence."""

import json
import zlib
from dataclasses import replace

import numpy as np
import pytest

from clipdepth.bundle.confidence import SHAPE
from clipdepth.frame import DepthFrame
from clipdepth.rooms import default_intrinsics
from clipdepth.web.viewer import Setup
from clipdepth.web.viewer.messages import Shot, encode
from clipdepth.web.viewer.status import describe


def frame_of(height: int, width: int) -> DepthFrame:
    """Depth in millimetres is the number of the pixel, from 1 on."""
    depth = np.arange(1, height * width + 1, dtype=np.float32).reshape(height, width) / 1000
    sure = np.random.default_rng(0).random((height, width), dtype=np.float32)
    image = np.zeros((height, width, 3), np.uint8)
    return DepthFrame(image, depth, default_intrinsics(height, width), raw_confidence=sure)


def planes(message: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    """Depth and confidence in a message, by what its header says of it."""
    length = int.from_bytes(message[:4], "little")
    header = json.loads(message[4 : 4 + length])
    shape = header["depth"]["height"], header["depth"]["width"]
    start = 4 + length + header["picture"]["bytes"]
    found = []
    for name, kind in (("depth", "<u2"), ("confidence", "u1")):
        if name in header:
            end = start + header[name]["bytes"]
            steps = np.frombuffer(zlib.decompress(message[start:end]), kind)
            found.append(np.cumsum(steps, dtype=steps.dtype).reshape(shape))
            start = end
    assert start == len(message)
    return (*found, None)[:2]


@pytest.mark.parametrize(("height", "width"), [(48, 64), (150, 400)])
def test_a_message_has_it_pixel_by_pixel_beside_depth(height: int, width: int) -> None:
    frame = frame_of(height, width)
    depth, sure = planes(encode(Shot(0, frame, 0.01)))
    assert sure is not None
    assert sure.shape == depth.shape
    assert (depth > 0).all()
    of_pixels = frame.raw_confidence.ravel()[depth.astype(int) - 1]
    assert np.abs(of_pixels - sure / 255).max() <= 0.5 / 255 + 1e-6


def test_what_is_left_out_is_unknown_and_keeps_its_confidence() -> None:
    frame = frame_of(48, 64)
    whole, sure = planes(encode(Shot(0, frame, 0.01)))
    cut, kept = planes(encode(Shot(0, replace(frame, min_confidence=0.3), 0.01)))
    np.testing.assert_array_equal(cut, np.where(frame.raw_confidence < 0.3, 0, whole))
    np.testing.assert_array_equal(kept, sure)
    relative, _ = planes(encode(Shot(0, replace(frame, min_confidence=0.3, kind="relative"), 0.01)))
    np.testing.assert_array_equal(relative == 0, frame.raw_confidence < 0.3)


def test_a_message_without_it_says_nothing_of_it() -> None:
    message = encode(Shot(0, replace(frame_of(48, 64), raw_confidence=None), 0.01))
    assert planes(message)[1] is None
    assert b"confidence" not in message


def test_margins_hold_the_truth_nine_times_in_ten() -> None:
    """Of errors drawn from the law that a confidence stands for: of that shape, with that share of them within 10%."""
    setup = Setup("slow", "CPU", "fp32", 0.5, 5.0)
    assert describe(setup, [])["margins"] is None
    margins = describe(replace(setup, confidence=True), [])["margins"]
    assert len(margins) == 256
    assert margins[0] is None
    assert 0 < margins[255] < margins[254]
    assert json.loads(json.dumps(margins, allow_nan=False)) == margins
    errors = np.random.default_rng(0).weibull(SHAPE, size=100_000)
    for level in (10, 128, 250):
        scale = 0.1 / np.quantile(errors, level / 255)
        assert (errors * scale <= margins[level]).mean() == pytest.approx(0.9, abs=0.01)
