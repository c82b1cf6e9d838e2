"""What looks like depth is told from pictures, by real files of each kind."""

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest

from clipdepth.files.depth_likeness import depth_likeness, file_likeness, is_named_like_depth

COLOUR = np.random.default_rng(0).integers(0, 65536, (37, 53, 3), dtype=np.uint16)
GREY = COLOUR[..., 0]


def likeness(suffix: str, picture: np.ndarray) -> str:
    return depth_likeness(BytesIO(cv2.imencode(suffix, picture)[1].tobytes()))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_one_channel_of_16_bits_is_depth_and_colour_is_not(kind: str) -> None:
    suffix = f".{kind.lower()}"
    assert likeness(suffix, GREY) == f"16-bit grey {kind}"
    assert likeness(suffix, COLOUR) == ""
    assert likeness(suffix, np.dstack([COLOUR, GREY])) == ""
    assert likeness(suffix, (GREY >> 8).astype(np.uint8)) == ""
    assert likeness(suffix, (COLOUR >> 8).astype(np.uint8)) == ""


def test_metres_in_a_tiff_are_depth() -> None:
    assert likeness(".tiff", GREY.astype(np.float32)) == "32-bit grey TIFF"


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".webp"])
def test_other_kinds_are_pictures(suffix: str) -> None:
    assert likeness(suffix, (GREY >> 8).astype(np.uint8)) == ""


def test_damaged_files_are_left_to_the_decoder(tmp_path: Path) -> None:
    whole = cv2.imencode(".tiff", GREY)[1].tobytes()
    for length in range(0, len(whole), 7):
        assert depth_likeness(BytesIO(whole[:length])) in ("", "16-bit grey TIFF")
    for offset in (b"\xff" * 8, b"\xff" * 7 + b"\x7f"):
        (tmp_path / "far.tiff").write_bytes(b"II+\0\x08\0\0\0" + offset)
        assert file_likeness(tmp_path / "far.tiff") == ""
    assert file_likeness(tmp_path / "nowhere.png") == ""


@pytest.mark.parametrize(
    "name",
    [
        *("depth.png", "depth_0001.png", "0001-depth.png", "frame-000000.depth.png", "sync_depth_00001.png"),
        *("Depth12.JPG", "left.disparity.png", "disp_3.png", "depthmap.webp", "depth_maps/depth 1.png"),
    ],
)
def test_names_of_depth(name: str) -> None:
    assert is_named_like_depth(name)


@pytest.mark.parametrize(
    "name", ["rgb_0001.png", "indepth.png", "display.png", "dispenser.jpg", "depths/a.png", "a.depth"]
)
def test_names_of_pictures(name: str) -> None:
    assert not is_named_like_depth(name)
