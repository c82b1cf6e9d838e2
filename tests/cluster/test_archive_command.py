"""`clipdepth archive` on a real Ray of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyarrow.dataset
import pytest

import clipdepth
from bundles import brightness_depth, write_bundle
from clipdepth.camera.camera import Camera
from clipdepth.cli import main
from clipdepth.sinks.depth_png import to_millimetres
from clips import decoded, room_frames, write_clip

CLIPS, FRAMES = 20, 36
HEIGHT, WIDTH = 240, 320
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive") / "films"
    for number in range(CLIPS):
        write_clip(folder / f"{number:02d}.mp4", room_frames(number, FRAMES, 120, 160))
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundles") / "made.bundle", HEIGHT, WIDTH, max_batch=4)


@pytest.fixture(scope="module")
def whole(films: Path, bundle: Path) -> Path:
    """The output of a run that nothing disturbs."""
    out = films.parent / "whole"
    ended = run(bundle, films, out)
    assert ended.returncode == 0, ended.stderr
    assert f"sources  {CLIPS}: {CLIPS} made, 0 done before, 0 failed" in ended.stdout
    return out


def command(bundle: Path, films: Path, out: Path, *options: str) -> list[str]:
    fixed = ["--engine", "onnxruntime", "--workers", "2", "--store", "0.2"]
    return [sys.executable, "-m", "clipdepth", "archive", str(bundle), str(films), "--out", str(out), *fixed, *options]


def run(bundle: Path, films: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(bundle, films, out, *options), capture_output=True, text=True, timeout=300)


def contents(out: Path) -> dict[str, bytes]:
    files = [file for kind in ("depth", "index") for file in (out / kind).rglob("*") if file.is_file()]
    return {str(file.relative_to(out)): file.read_bytes() for file in files}


def wait_until(condition: Callable[[], object], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def workers_of(mark: str) -> list[int]:
    """The processes that infer, of the run whose environment has `mark`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_worker = b"Inference" in (process / "cmdline").read_bytes()
            is_ours = mark.encode() in (process / "environ").read_bytes()
        except OSError:
            continue
        if is_worker and is_ours:
            found.append(int(process.name))
    return found


def test_every_clip_has_a_depth_video_and_every_frame_a_row(films: Path, whole: Path) -> None:
    table = pyarrow.dataset.dataset(whole / "index").to_table().to_pydict()
    expected = {(str(films / f"{clip:02d}.mp4"), frame) for clip in range(CLIPS) for frame in range(FRAMES)}
    assert sorted(zip(table["source"], table["frame"], strict=True)) == sorted(expected)
    assert set(table["engine"]) == {"onnxruntime"}
    for clip in (0, 13):
        found = list(clipdepth.read_depth(whole / f"depth/films/{clip:02d}.mp4.mkv"))
        assert len(found) == FRAMES
        for number in (0, 30, FRAMES - 1):
            picture = decoded(films / f"{clip:02d}.mp4")[number][1]
            seen = brightness_depth(cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR))
            np.testing.assert_allclose(found[number].depth, cv2.resize(seen, (160, 120)), atol=2e-3)


def test_the_report_says_what_was_done(whole: Path) -> None:
    report = json.loads((whole / "report.json").read_text())
    assert (report["sources"], report["made"], report["failed"]) == (CLIPS, CLIPS, [])
    assert report["frames"] == CLIPS * FRAMES == sum(worker["frames"] for worker in report["workers"].values())
    assert 0 < report["store_peak_bytes"] <= report["store_limit_bytes"] == 200_000_000
    assert all(seconds > 0 for seconds in report["stage_seconds"].values())


def test_pictures_of_all_shapes_in_one_run_are_those_of_the_model(tmp_path: Path) -> None:
    """And the one that no camera of the calibration took is left out by its name."""
    shapes = {"a": (60, 80), "b": (90, 160), "c": (80, 60), "d": (HEIGHT, WIDTH)}
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for name, shape in shapes.items():
        picture = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"photos/{name}.png"), picture)
    (tmp_path / "cameras.txt").write_text("1 PINHOLE 640 480 520 520 320 240\n2 PINHOLE 320 180 300 300 160 90\n")
    made = write_bundle(tmp_path / "sizes.bundle", HEIGHT, WIDTH, max_batch=4, other_sizes=[(27, 48), (64, 48)])
    ended = run(made, tmp_path / "photos", tmp_path / "out", "--calibration", str(tmp_path / "cameras.txt"))
    assert ended.returncode == 1, ended.stderr
    with clipdepth.load(made, engine="onnxruntime", camera=Camera(calibration=tmp_path / "cameras.txt")) as model:
        for name in ("a", "b", "d"):
            picture = np.asarray(cv2.imread(str(tmp_path / f"photos/{name}.png")), np.uint8)
            (stored,) = clipdepth.read_depth(tmp_path / f"out/depth/photos/{name}.png.png")
            np.testing.assert_array_equal(np.rint(stored.depth * 1000), to_millimetres(model(picture).depth))
    (failed,) = json.loads((tmp_path / "out/report.json").read_text())["failed"]
    assert failed["source"] == str(tmp_path / "photos/c.png")
    assert failed["reason"].count("c.png") == 1
    assert f"failed   {failed['reason']}\n" in ended.stdout
    assert "camera   told for 3 frames\n" in ended.stdout


def test_what_is_killed_or_interrupted_loses_nothing(films: Path, bundle: Path, whole: Path) -> None:
    out = films.parent / "killed"
    mark = f"CLIPDEPTH_TEST={out}"
    environment = {**os.environ, "CLIPDEPTH_TEST": str(out)}

    def made() -> int:
        """Clips, of a chunk each, whose depth is there, joined or not."""
        while True:
            try:
                parts = {file.parent.name[:2] for file in (out / ".work").rglob("0*.parquet")}
                return len(parts | {file.name[:2] for file in (out / "index").rglob("*.parquet")})
            except FileNotFoundError:  # a folder was joined and removed while it was listed
                continue

    with subprocess.Popen(command(bundle, films, out), env=environment, stdout=subprocess.DEVNULL) as driver:
        wait_until(lambda: made() >= 2)
        os.kill(workers_of(mark)[0], signal.SIGKILL)
        wait_until(lambda: made() >= 4)
        driver.kill()
    with subprocess.Popen(command(bundle, films, out), stdout=subprocess.PIPE, text=True) as driver:
        before = made()
        assert 4 <= before < CLIPS - 5
        wait_until(lambda: made() >= before + 2)
        driver.send_signal(signal.SIGINT)
        said = driver.communicate(timeout=60)[0]
    assert driver.returncode == 130
    assert "interrupted; the same command continues" in said
    kept = {name: (out / name).stat().st_mtime_ns for name in contents(out) if name.startswith("index")}
    ended = run(bundle, films, out)
    assert ended.returncode == 0, ended.stderr
    assert f"{CLIPS}: {CLIPS - len(kept)} made, {len(kept)} done before" in ended.stdout
    assert contents(out) == contents(whole)
    assert {name: (out / name).stat().st_mtime_ns for name in kept} == kept
    assert not (out / ".work").exists()


def test_where_nothing_is_left_ray_is_not_started(
    films: Path, bundle: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # to import it is an error
    before = contents(whole)
    assert main(command(bundle, films, whole)[3:]) == 0
    assert f"sources  {CLIPS}: 0 made, {CLIPS} done before, 0 failed" in capfd.readouterr().out
    assert contents(whole) == before


def test_other_settings_do_not_mix(
    films: Path, bundle: Path, whole: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = write_bundle(tmp_path / "other.bundle", HEIGHT, WIDTH, frames=3)
    for made, options, name in ((bundle, ["--stride", "2"], "stride 1, not 2"), (other, [], "bundle ")):
        assert main(["archive", str(made), str(films), "--out", str(whole), *options]) == 2
        error = capfd.readouterr().err
        assert f"{whole} was made with {name}" in error
        assert "choose another --out" in error


def test_mistakes_are_one_line(films: Path, bundle: Path, tmp_path: Path) -> None:
    ended = run(bundle, films, tmp_path / "out", "--ray", "127.0.0.1:1")
    assert ended.returncode == 1
    assert ended.stderr.startswith("clipdepth: error: no Ray cluster answers at '127.0.0.1:1'")
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
