"""`clipdepth cameras`, with a driver that answers by the kernel's own header, and a device of GStreamer's."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clipdepth.cli import main
from clipdepth.cli.cameras import describe
from clipdepth.sources.found import FoundCamera
from clipdepth.sources.mode import CameraMode

DRIVER = Path(__file__).parents[1] / "v4l2_driver.c"
LIST = """
import sys
from pathlib import Path
from clipdepth.cli.cameras import describe
from clipdepth.sources.v4l2 import video_devices
for camera in video_devices(Path(sys.argv[1])):
    print(*describe(camera), sep="\\n")
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The driver, compiled."""
    if sys.platform != "linux" or not shutil.which("gcc"):
        pytest.skip("needs Linux and gcc (Debian: the packages of tests/debian.txt)")
    library = tmp_path_factory.mktemp("driver") / "driver.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, DRIVER, "-ldl"], check=True)
    return library


def listed(driver: Path, folder: Path, **environment: str) -> list[str]:
    env = {**os.environ, **environment, "LD_PRELOAD": str(driver)}
    result = subprocess.run(
        [sys.executable, "-c", LIST, str(folder)], env=env, capture_output=True, text=True, check=True
    )
    return result.stdout.splitlines()


def test_modes_are_those_that_the_driver_tells(driver: Path, tmp_path: Path) -> None:
    for name in ("video10", "video2", "video", "media0"):
        (tmp_path / name).touch()
    modes = [
        "  1920×1080 MJPG at 30/s",
        "  640×480 MJPG at 30, 14.985/s",
        "  160×120 YUYV at 25, 5/s",
        "  800×600 YUYV at 25, 5/s",
    ]
    assert listed(driver, tmp_path) == [
        f"{tmp_path}/video2  HD Webcam",
        *modes,
        f"{tmp_path}/video10  HD Webcam",
        *modes,
    ]


def test_a_device_that_only_encodes_is_no_camera(driver: Path, tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    assert listed(driver, tmp_path, ENCODES="1") == []


def test_a_device_that_cannot_be_opened_says_why(driver: Path, tmp_path: Path) -> None:
    (tmp_path / "video0").mkdir()
    assert listed(driver, tmp_path) == [f"{tmp_path}/video0  video0: Is a directory"]


def test_a_file_without_a_driver_is_no_camera(tmp_path: Path) -> None:
    from clipdepth.sources.v4l2 import video_devices

    (tmp_path / "video0").touch()
    assert video_devices(tmp_path) == []


def test_a_camera_without_rates_is_described() -> None:
    camera = FoundCamera("libcamera://x", "imx219", (CameraMode(640, 480), CameraMode(1920, 1080)))
    assert list(describe(camera)) == ["libcamera://x  imx219", "  640×480", "  1920×1080"]


def test_the_command_lists_what_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [FoundCamera("/dev/video0", "cam\x1b[2J", (CameraMode(640, 480, 30.0, "MJPG"),))]
    for cameras, said in ((found, "/dev/video0  cam\\x1b[2J\n  640×480 MJPG at 30/s\n"), ([], "no camera was found")):
        monkeypatch.setattr("clipdepth.cli.cameras.find_cameras", lambda cameras=cameras: cameras)
        assert main(["cameras", "--json", str(tmp_path / "c.json")]) == 0
        assert capsys.readouterr().out.startswith(said)
        assert len(json.loads((tmp_path / "c.json").read_text())["cameras"]) == len(cameras)


@pytest.mark.filterwarnings("ignore::ImportWarning")
def test_the_machines_own_cameras_are_looked_for_without_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cameras"]) == 0
    assert capsys.readouterr().out
