import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from urllib.request import urlopen

import cv2
import numpy as np
import pytest

from bundles import TERMS, brightness_depth, write_bundle
from clipdepth.cli import main
from clipdepth.engines import ENGINES
from live_servers import mjpeg_server, wait_until
from photographs import FOCAL_35, photograph


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
    given = [str(argument) for argument in arguments]
    return main(["run", *given, *([] if "--engine" in given else ["--engine", "onnxruntime"])])


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
        "capture_to_depth": 4,
    }
    (source,) = report["sources"]
    counts = {"name": str(images), "captured": 4, "processed": 4, "dropped": {}, "losses": 0, "state": "ended"}
    focal = {"origin": "assumed", "focal_px": pytest.approx(0.9 * 64), "width": 64, "height": 48, "frames": 4}
    assert source == {**counts, "failed": None, "focal": [focal], "confidence": None, "novel": None, "measured": None}
    assert report["agreement"]["tolerance"]["mean"] == 1e-4

    out, err = capsys.readouterr()
    assert "onnxruntime on CPU, fp32, 1 thread" in out
    assert "agrees with PyTorch" in out
    assert "camera   assumed: 58 px at 64×48\n" in out
    assert "p99" in out
    assert err == TERMS


def test_frames_limits_an_endless_source(bundle: Path, tmp_path: Path) -> None:
    assert run(bundle, "--source", "rooms", "--frames", 2, "--output", tmp_path / "d") == 0
    assert len(list((tmp_path / "d").iterdir())) == 2


def test_a_damaged_image_of_a_folder_is_left_out_named_and_counted(
    bundle: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (images / "2.png").write_bytes((images / "2.png").read_bytes()[:500])
    report = tmp_path / "r.json"
    assert run(bundle, "--source", images, "--output", tmp_path / "d", "--json", report) == 0
    assert sorted(file.name for file in (tmp_path / "d").iterdir()) == [f"depth_00000{i}.png" for i in (0, 1, 3)]
    camera, damaged = (record.getMessage() for record in caplog.records)
    assert damaged.count("2.png is damaged") == 1
    assert camera.startswith("the camera is not known")
    (source,) = json.loads(report.read_text())["sources"]
    assert (source["captured"], source["losses"]) == (3, 1)
    assert "dropped none; lost 1" in capsys.readouterr().out


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
    "size of no webcam": ["--source", "rooms", "--width", "640"],
    "pixel format": ["--source", "0", "--fourcc", "JPG"],
    "scheme": ["--source", "gopher://host/x"],
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


def start_run(*arguments: str) -> subprocess.Popen[str]:
    """A process of its own, that Ctrl-C can end."""
    # A shell starts background jobs with SIGINT ignored, and children inherit that.
    script = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from clipdepth.cli import main; sys.exit(main(['run', *sys.argv[1:]]))"
    )
    command = [sys.executable, "-c", script, *arguments, "--engine", "onnxruntime"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"])
def test_a_signal_ends_an_endless_stream_with_everything_whole(
    number: signal.Signals, status: int, bundle: Path, tmp_path: Path
) -> None:
    folder, video, report = tmp_path / "d", tmp_path / "x.mp4", tmp_path / "r.json"
    outputs = ["--output", str(folder), "--output", str(video), "--json", str(report)]
    arguments = [str(bundle), "--source", "rooms", *outputs]
    process = start_run(*arguments)
    deadline = time.monotonic() + 60
    while not (folder / "depth_000002.png").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (status, TERMS)
    assert "(interrupted)" in out
    written = json.loads(report.read_text())
    assert written["interrupted"] is True
    pictures = len(list(folder.glob("depth_*.png")))
    frames = cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FRAME_COUNT)
    # A few frames may be under way to each sink when the signal comes.
    assert 2 <= pictures <= written["frames"] <= pictures + 4
    assert 1 <= frames <= written["frames"] <= frames + 4
    assert sorted(file.name for file in tmp_path.iterdir()) == ["b.bundle", "d", "r.json", "x.mp4"]


def test_several_sources_share_the_engine_and_keep_their_depth_apart(
    bundle: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = ["--output", tmp_path / "d", "--output", tmp_path / "x.mp4", "--json", tmp_path / "r.json"]
    assert run(bundle, "--source", images, "--source", images / "2.png", *outputs) == 0
    for number, files in ((1, [f"{index}.png" for index in range(4)]), (2, ["2.png"])):
        kept = sorted((tmp_path / f"d-{number}").iterdir())
        assert len(kept) == len(files)
        for file, image in zip(kept, files, strict=True):
            millimetres = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
            expected = brightness_depth(cv2.imread(str(images / image)))
            assert np.abs(millimetres / 1000 - expected).max() < 0.001
        assert cv2.VideoCapture(str(tmp_path / f"x-{number}.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == len(files)
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["frames"] == 5
    assert [source["processed"] for source in report["sources"]] == [4, 1]
    assert "5 in" in capsys.readouterr().out


def test_a_sink_that_cannot_open_fails_before_the_other_writes(
    bundle: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "depth_000000.png").touch()
    (tmp_path / "x.mp4").write_bytes(b"earlier")
    assert run(bundle, "--source", images, "--output", tmp_path / "x.mp4", "--output", tmp_path / "d") == 1
    assert "already" in capsys.readouterr().err
    assert (tmp_path / "x.mp4").read_bytes() == b"earlier"


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_ctrl_c_ends_a_stream_that_has_stalled_and_leaves_its_video_playable(bundle: Path, tmp_path: Path) -> None:
    video, report = tmp_path / "x.mp4", tmp_path / "r.json"
    folder, outputs = tmp_path / "d", ["--output", str(video), "--output", str(tmp_path / "d")]
    with mjpeg_server() as (url, server):
        arguments = [str(bundle), "--source", url, *outputs, "--json", str(report)]
        process = start_run(*arguments)
        assert wait_until(lambda: len(list(folder.glob("depth_*.png"))) >= 10)
        server.stalled.set()
        time.sleep(0.5)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        # Its read blocks for 5 s more.
        assert time.monotonic() - start < 4
    assert process.returncode == 130
    assert "is still in a read" in err
    source = json.loads(report.read_text())["sources"][0]
    assert source["captured"] >= source["processed"] >= 1
    frames = cv2.VideoCapture(str(video))
    count = int(frames.get(cv2.CAP_PROP_FRAME_COUNT))
    assert count >= 1
    assert all(frames.read()[0] for _ in range(count))


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_ctrl_c_does_not_hide_that_the_video_was_lost(bundle: Path, tmp_path: Path) -> None:
    """As on a full disk, where the writer says nothing and the index, written last, is missing."""
    outputs = ["--output", str(tmp_path / "x.mp4"), "--output", str(tmp_path / "d")]
    process = start_run(str(bundle), "--source", "rooms", *outputs)
    assert wait_until(lambda: (tmp_path / "d" / "depth_000009.png").exists())
    (draft,) = tmp_path.glob(".x*.mp4")
    draft.unlink()
    draft.touch()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "; failed at 20" in out
    (written,) = re.findall(r"^written +(.*)$", out, re.MULTILINE)
    assert str(tmp_path / "d") in written
    assert "x.mp4" not in written
    assert "x.mp4 could not be written beyond frame" in err
    assert not (tmp_path / "x.mp4").exists()


@pytest.mark.parametrize("command", ["run", "verify", "calibrate"])
def test_a_device_of_an_engine_on_the_cpu_is_misuse(
    command: str, bundle: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = ["--source", str(images / "0.png")] if command != "verify" else []
    point = ["--point", "1,1=1", "--out", str(tmp_path / "c.json")] if command == "calibrate" else []
    arguments = [command, str(bundle), *source, *point, "--engine", "onnxruntime", "--device", "1"]
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert "engine 'onnxruntime' is not for GPUs, so that it has no device 1; leave the device out" in err
    assert err.count("\n") == 1


def test_by_default_the_fastest_engine_that_agrees_is_taken(
    bundle: Path,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    report = tmp_path / "r.json"
    for remembered in (False, True):
        assert main(["run", str(bundle), "--source", str(images), "--json", str(report)]) == 0
        found = json.loads(report.read_text())
        err = capsys.readouterr().err
        assert found["engine"] in ENGINES
        assert "the fastest of" in err
        assert ("measured before" in err) == remembered


def test_another_focal_length_scales_depth_and_an_unknown_lens_is_misuse(
    bundle: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The training camera's focal length is 0.9 of the width: twice that sees everything twice as near."""
    assert run(bundle, "--source", images, "--focal-px", 0.9 * 64 * 2, "--output", tmp_path / "d") == 0
    depth = cv2.imread(str(tmp_path / "d" / "depth_000000.png"), cv2.IMREAD_UNCHANGED) / 1000
    expected = 2 * brightness_depth(cv2.imread(str(images / "0.png")))
    assert np.abs(depth - expected).max() < 0.002
    capsys.readouterr()
    assert run(bundle, "--source", images, "--focal-px", 60, "--fov", 50) == 2
    assert "not allowed with" in capsys.readouterr().err


def test_reports_and_files_say_where_each_focal_length_is_from(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two pictures with the focal length in their files, one without, and then a camera that is told."""
    folder, report = tmp_path / "photos", tmp_path / "r.json"
    folder.mkdir()
    for index in range(3):
        (folder / f"{index}.jpg").write_bytes(photograph({FOCAL_35: 26} if index else {}))
    by_film = 26 / math.hypot(36, 24) * 80
    assert run(bundle, "--source", folder, "--output", tmp_path / "x.npz", "--json", report) == 0
    stored = [np.load(tmp_path / f"x_{index:06d}.npz") for index in range(3)]
    assert [str(each["camera"]) for each in stored] == ["assumed", "metadata", "metadata"]
    assert [each["intrinsics"][0, 0] for each in stored] == pytest.approx([57.6, by_film, by_film])
    (source,) = json.loads(report.read_text())["sources"]
    assert [(of["origin"], of["frames"]) for of in source["focal"]] == [("metadata", 2), ("assumed", 1)]
    said = "camera   by the file's own metadata: 48 px at 64×48 in 2 frames; assumed: 58 px at 64×48 in 1 frame\n"
    assert said in capsys.readouterr().out

    given = ["--focal-px", 100, "--output", tmp_path / "x.ply"]
    assert run(bundle, "--source", folder, *given) == 0
    assert "camera   told: 100 px at 64×48\n" in capsys.readouterr().out
    head = (tmp_path / "x_000001.ply").read_bytes()[:400].decode("ascii", "replace")
    assert "\ncomment camera told: fx 100 fy 100 cx 31.5 cy 23.5 px at 64x48\n" in head


def test_smoothing_steadies_a_still_picture_with_noise(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "noisy").mkdir()
    rng = np.random.default_rng(3)
    for index in range(12):
        frame = np.clip(rng.normal(128, 6, (48, 64, 3)), 0, 255).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "noisy" / f"{index:02d}.png"), frame)
    spread = []
    for options in ([], ["--smooth"]):
        out = tmp_path / f"d{len(options)}"
        assert run(bundle, "--source", tmp_path / "noisy", "--output", out, *options) == 0
        depths = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED).astype(float) for file in sorted(out.iterdir())]
        spread.append(np.abs(np.diff(depths[4:], axis=0)).mean())
    assert spread[1] < 0.5 * spread[0]


def test_depth_is_served_while_it_streams(bundle: Path, tmp_path: Path) -> None:
    """A process with a viewer of its own; its page, its metrics, and Ctrl-C."""
    pytest.importorskip("starlette")
    process = start_run(str(bundle), "--source", "rooms", "--serve", "127.0.0.1:0", "--metrics")
    try:
        assert process.stderr
        line = process.stderr.readline()
        assert line.startswith("live at http://127.0.0.1:")
        assert process.stderr.readline().startswith("every user of this computer can watch; with --token only")
        address = line.split()[-1]
        deadline = time.monotonic() + 60
        found = ""
        while "clipdepth_frames_processed_total" not in found and time.monotonic() < deadline:
            found = urlopen(f"{address}metrics", timeout=10).read().decode()
        assert 'engine="onnxruntime"' in found or "onnxruntime" in found
        assert b"<canvas" in urlopen(address, timeout=10).read()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize("seconds", [0, 0.01, 0.03, 0.1])
def test_ctrl_c_ends_a_run_that_only_just_began(bundle: Path, seconds: float) -> None:
    """While its threads start, and while a frame is drawn, which takes long on a busy machine."""
    pytest.importorskip("starlette")
    process = start_run(str(bundle), "--source", "rooms", "--serve", "127.0.0.1:0")
    assert process.stderr
    assert process.stderr.readline().startswith("live at")
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert [line for line in err.replace(TERMS, "").splitlines() if "every user" not in line] in (
        [],
        ["clipdepth: error: interrupted"],
    )


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_a_service_logs_json_lines_alone_and_no_token_that_it_was_given(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIPDEPTH_LOG", "json")
    monkeypatch.setenv("CLIPDEPTH_TOKEN", "a secret of mine")
    process = start_run(str(bundle), "--source", "rooms", "--serve", "127.0.0.1:0", "--output", str(tmp_path / "d"))
    assert wait_until(lambda: len(list((tmp_path / "d").glob("*.png"))) > 1, 60)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (143, "")
    serving, streaming, ended = (json.loads(line) for line in err.splitlines())
    assert serving["message"] == "serving"
    assert serving["url"].startswith("http://127.0.0.1:")
    assert (serving["other_urls"], serving["needs_token"]) == ([], True)
    assert "secret" not in err
    assert streaming["message"] == "streaming"
    assert (streaming["sources"], streaming["engine"]) == (["rooms:0"], "onnxruntime")
    assert (ended["message"], ended["interrupted"], ended["level"]) == ("ended", True, "info")
    assert ended["frames"] == ended["sources"][0]["processed"] > 0
    assert ended["latency_ms"]["engine"]["n"] > 0


def test_a_failure_is_a_json_line_too(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPDEPTH_LOG", "json")
    process = start_run(str(bundle), "--source", "nowhere.mp4")
    out, err = process.communicate(timeout=60)
    failure = json.loads(err)
    assert (process.returncode, out) == (1, "")
    assert failure["level"] == "error"
    assert "nowhere.mp4" in failure["message"]
    assert datetime.fromisoformat(failure["time"]).tzinfo is not None


@pytest.mark.parametrize(
    "option",
    [
        ["--metrics"],
        ["--token"],
        ["--token", "12345678"],
        ["--allowed-host", "cam.example.org"],
        ["--allowed-origin", "https://cam.example.org"],
    ],
)
def test_what_is_for_the_viewer_needs_it(
    bundle: Path, images: Path, option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(bundle, "--source", images, *option) == 2
    assert "for --serve" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("--allowed-host", "https://cam.example.org", "give it without scheme, port, path or wildcard"),
        ("--allowed-origin", "cam.example.org", "give scheme, host and"),
    ],
)
def test_what_is_no_name_of_a_proxy(option: str, value: str, remedy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "b", "--source", "0", "--serve", option, value]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert f"argument {option}: '{value}' is not " in lines[0]
    assert remedy in lines[0]
