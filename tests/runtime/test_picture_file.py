"""Pictures from strangers: their headers are read as OpenCV reads them, and huge ones take no memory."""

import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from clipdepth.files.picture_file import MAX_PIXELS, PictureError, decode_picture, picture_size
from large_pictures import write_huge_png

HAS_AVIF = cv2.haveImageWriter(".avif")
"""OpenCV's wheels have had AVIF since 4.11 or so."""
SMALL = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)


def encoded(suffix: str, *parameters: int) -> bytes:
    return cv2.imencode(suffix, SMALL, parameters)[1].tobytes()


def exif(data: bytes) -> bytes:
    """The JPEG with an Exif segment that holds a JPEG of another size."""
    thumbnail = b"Exif\0\0" + cv2.imencode(".jpg", SMALL[:8, :9])[1].tobytes()
    return data[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(thumbnail)) + thumbnail + data[2:]


FILES = {
    "png": encoded(".png"),
    "jpeg": encoded(".jpg"),
    "progressive": encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "thumbnail": exif(encoded(".jpg")),
    "fill": encoded(".jpg").replace(b"\xff\xc0", b"\xff\xff\xff\xc0", 1),
    "bmp": encoded(".bmp"),
    "tiff": encoded(".tiff"),
    "lossy webp": encoded(".webp", cv2.IMWRITE_WEBP_QUALITY, 50),
    "lossless webp": encoded(".webp", cv2.IMWRITE_WEBP_QUALITY, 101),
    **({"avif": encoded(".avif")} if HAS_AVIF else {}),
}


@pytest.mark.parametrize("kind", FILES)
def test_the_header_states_what_opencv_decodes(kind: str) -> None:
    assert picture_size(FILES[kind]) == (53, 37)
    assert decode_picture(FILES[kind], cv2.IMREAD_COLOR).shape == (37, 53, 3)


@pytest.mark.parametrize("kind", FILES)
def test_a_cut_file_is_no_crash(kind: str) -> None:
    for length in range(min(len(FILES[kind]), 400)):
        assert picture_size(FILES[kind][:length]) in ((0, 0), (53, 37), (53, 0), (0, 37))


def test_a_bitmap_from_the_top_has_a_size() -> None:
    data = bytearray(FILES["bmp"])
    data[22:26] = struct.pack("<i", -37)
    assert picture_size(bytes(data)) == (53, 37)


@pytest.mark.parametrize("data", [b"", b"text", b"P6 9 9 255\n", b"\x89PNG\r\n\x1a\n", b"II*\0\xff\xff\xff\xff"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(PictureError, match="is damaged or no image"):
        decode_picture(data, cv2.IMREAD_COLOR)


def test_a_directory_that_states_a_size_twice_counts_by_the_larger() -> None:
    entries = [(256, 4, 1, 9), (256, 4, 1, 70_000), (257, 4, 1, 60_000), (257, 4, 1, 9)]
    data = b"MM\0*" + struct.pack(">IH", 8, len(entries)) + b"".join(struct.pack(">HHII", *entry) for entry in entries)
    assert picture_size(data) == (70_000, 60_000)


@pytest.mark.skipif(not HAS_AVIF, reason="needs an OpenCV with AVIF")
def test_of_an_avif_the_largest_size_that_is_stated_counts() -> None:
    data = bytearray(FILES["avif"])
    at = data.index(b"ispe") + 8
    assert struct.unpack_from(">II", data, at) == (53, 37)
    data[at : at + 8] = struct.pack(">II", 30_000, 30_000)
    with pytest.raises(PictureError, match="has 30000×30000 pixels"):
        decode_picture(bytes(data), cv2.IMREAD_COLOR)
    track = struct.pack(">I4s76sII", 92, b"tkhd", b"", 40_000 << 16, 30_000 << 16)
    moov = struct.pack(">I4sI4s", 16 + len(track), b"moov", 8 + len(track), b"trak") + track
    assert picture_size(bytes(data) + moov) == (40_000, 30_000)


def test_a_picture_that_this_opencv_cannot_read_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cut AVIF, as the same file is to an OpenCV without AVIF."""
    data = struct.pack(">I4s4s", 16, b"ftyp", b"avif") + bytes(4)
    ispe = struct.pack(">I4sIII", 20, b"ispe", 0, 53, 37)
    ipco = struct.pack(">I4s", 8 + len(ispe), b"ipco") + ispe
    iprp = struct.pack(">I4s", 8 + len(ipco), b"iprp") + ipco
    data += struct.pack(">I4sI", 12 + len(iprp), b"meta", 0) + iprp
    assert picture_size(data) == (53, 37)
    monkeypatch.setattr(cv2, "haveImageWriter", lambda _: False)
    with pytest.raises(PictureError, match=r"^is AVIF, which OpenCV [0-9.]+ here cannot read$") as error:
        decode_picture(data, cv2.IMREAD_COLOR)
    assert error.value.remedy == "convert it to PNG or JPEG"


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("offset", [0, 4, 1 << 31, (1 << 63) + 5])
def test_a_tiff_whose_directory_is_nowhere_is_no_crash(big: bool, offset: int) -> None:
    head = struct.pack("<4sHHQ", b"II+\0", 8, 0, offset) if big else struct.pack("<4sI", b"II*\0", offset % (1 << 32))
    assert picture_size(head) == (0, 0)


def huge(kind: str) -> bytes:
    data = bytearray(FILES[kind])
    match kind:
        case "png":
            data[16:24] = struct.pack(">II", 30_000, 30_000)
        case "jpeg":
            place = data.index(b"\xff\xc0") + 5
            data[place : place + 4] = struct.pack(">HH", 30_000, 30_000)
        case "bmp":
            data[18:26] = struct.pack("<ii", 30_000, -30_000)
    return bytes(data)


@pytest.mark.parametrize("kind", ["png", "jpeg", "bmp"])
def test_a_huge_picture_is_refused_by_its_header(kind: str) -> None:
    with pytest.raises(PictureError, match=f"has 30000×30000 pixels, more than {MAX_PIXELS:,} in all"):
        decode_picture(huge(kind), cv2.IMREAD_COLOR)


READERS = {
    "run": "from clipdepth.sources.folder import read_image as read; read(path)",
    "depth": "from clipdepth import read_depth; list(read_depth(path))",
}


@pytest.mark.parametrize("reader", READERS)
def test_a_valid_picture_of_900_million_pixels_takes_no_memory(reader: str, tmp_path: Path) -> None:
    write_huge_png(tmp_path / "huge.png")
    code = f"""
import sys
from pathlib import Path
from clipdepth.errors import SourceError
path = Path(sys.argv[1])
try:
    {READERS[reader]}
except SourceError as error:
    print(error)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))  # ru_maxrss has the parent's
print(int(peak.split()[1]) // 1024)
"""
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "huge.png")],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    message, megabytes = run.stdout.splitlines()
    assert message.startswith(str(tmp_path / "huge.png"))
    assert "30000×30000 pixels" in message
    assert int(megabytes) < 300
