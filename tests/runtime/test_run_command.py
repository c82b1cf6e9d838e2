import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from bundles import brightness_depth, write_bundle
from clipdepth.cli import main


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "b.bundle")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(4):
        cv2.imwrite(str(folder / f"{index}.png"), rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    return folder


def run(*arguments: object) -> int:
    return main(["run", *map(str, arguments)])


def test_keeps_depth_and_video_and_reports(
    bundle: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video, folder, report_file = tmp_path / "x.mp4", tmp_path / "depth", tmp_path / "r.json"
    outputs = ["--output", video, "--output", folder, "--json", report_file]
    assert run(bundle, "--source", images, *outputs, "--threads", 1) == 0

    kept = sorted(folder.iterdir())
    assert [file.name for file in kept] == [f"depth_{index:06d}.png" for index in range(4)]
    for index, file in enumerate(kept):
        expected = brightness_depth(cv2.imread(str(images / f"{index}.png")))
        millimetres = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        assert np.abs(millimetres / 1000 - expected).max() < 0.001
    assert cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FRAME_COUNT) == 4

    report = json.loads(report_file.read_text())
    assert report["frames"] == 4
    assert (report["engine"], report["device"], report["precision"]) == ("onnxruntime", "CPU", "fp32")
    assert (report["threads"], report["interrupted"]) == (1, False)
    assert {stage: latency["n"] for stage, latency in report["latency_ms"].items()} == {
        "resize": 4,
        "engine": 4,
        "total": 4,
    }
    assert report["agreement"]["tolerance"]["mean"] == 1e-4

    out, err = capsys.readouterr()
    assert "onnxruntime on CPU, fp32, 1 thread" in out
    assert "agrees with PyTorch" in out
    assert "p99" in out
    assert err == ""


def test_frames_limits_an_endless_source(bundle: Path, tmp_path: Path) -> None:
    assert run(bundle, "--source", "rooms", "--frames", 2, "--output", tmp_path / "d") == 0
    assert len(list((tmp_path / "d").iterdir())) == 2


def test_a_damaged_image_fails_and_leaves_no_video(
    bundle: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "2.png").write_bytes((images / "2.png").read_bytes()[:500])
    assert run(bundle, "--source", images, "--output", tmp_path / "out" / "x.mp4") == 1
    assert list((tmp_path / "out").iterdir()) == []
    assert "2.png is damaged" in capsys.readouterr().err


MISUSE = {
    "no source": [],
    "no frames": ["--source", "rooms", "--frames", "0"],
    "no threads": ["--source", "rooms", "--threads", "two"],
    "range": ["--source", "rooms", "--range", "3,1"],
    "endless range": ["--source", "rooms", "--range", "1,inf"],
    "nan range": ["--source", "rooms", "--range", "nan,3"],
    "half range": ["--source", "rooms", "--range", "3"],
    "suffix": ["--source", "rooms", "--frames", "1", "--output", "x.avi"],
    "engine": ["--source", "rooms", "--engine", "warp"],
    "precision": ["--source", "rooms", "--precision", "fp8"],
    "unknown": ["--source", "rooms", "--bogus"],
    "short name": ["--source", "rooms", "--frame", "1"],
    "webcam": ["--source", "0"],
}


@pytest.mark.parametrize("arguments", MISUSE.values(), ids=MISUSE.keys())
def test_misuse_is_one_line_and_status_2(
    bundle: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(bundle, *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("clipdepth: error: ")
    assert err.count("\n") == 1


def test_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run("--help")
    assert stop.value.code == 0
    assert "rooms[:SEED]" in capsys.readouterr().out


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_ends_an_endless_stream_with_everything_whole(bundle: Path, tmp_path: Path) -> None:
    folder, video, report = tmp_path / "d", tmp_path / "x.mp4", tmp_path / "r.json"
    outputs = ["--output", str(folder), "--output", str(video), "--json", str(report)]
    arguments = ["run", str(bundle), "--source", "rooms", *outputs]
    # A shell starts background jobs with SIGINT ignored, and children inherit that.
    script = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from clipdepth.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (folder / "depth_000002.png").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (130, "")
    assert "(interrupted)" in out
    written = json.loads(report.read_text())
    assert written["interrupted"] is True
    pictures = len(list(folder.glob("depth_*.png")))
    frames = cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FRAME_COUNT)
    # The picture of a frame is written before the frame of the video; Ctrl-C may come between.
    assert 2 <= frames <= pictures <= written["frames"] <= frames + 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["b.bundle", "d", "r.json", "x.mp4"]
