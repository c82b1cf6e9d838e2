"""Depth that is not metric: no output gives metres of it before 'clipdepth calibrate', and all do after it.

The graph answers 0.5 plus 5 times the brightness of a pixel, and says that this is relative depth or disparity.
"""

import json
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import clipdepth
from bundles import brightness_depth, write_bundle
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.kind import DepthKind
from clipdepth.camera.calibration import read_calibration
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.cli import main
from clipdepth.errors import NotMetricError, UnknownCameraError, UsageError
from clipdepth.frame import DepthFrame
from clipdepth.pipeline.smoothing import Smoother
from clipdepth.rooms import Room, default_intrinsics
from clipdepth.sinks import open_sink
from clipdepth.sinks.arrays import write_npz
from clipdepth.sinks.depth_picture import side_by_side
from clipdepth.sinks.depth_png import write_png
from clipdepth.sinks.point_cloud import write_ply
from clipdepth.sinks.window_picture import WindowPicture

HEIGHT, WIDTH = 120, 160
KINDS: tuple[DepthKind, ...] = ("relative", "disparity")
kinds = pytest.mark.parametrize("kind", KINDS)
CALIBRATE = "measure two or more points with 'clipdepth calibrate'"


@pytest.fixture
def of_kind(tmp_path: Path) -> Callable[[DepthKind], Path]:
    return lambda kind: write_bundle(tmp_path / f"{kind}.bundle", HEIGHT, WIDTH, kind=kind)


class Scene:
    """A room whose exact depth is written into the brightness of its picture, as `kind` says."""

    def __init__(self, kind: DepthKind, folder: Path) -> None:
        self.kind = kind
        self.depth = Room(2).render(3.0, default_intrinsics(HEIGHT, WIDTH)).depth.astype(np.float64)
        values = self._in_space(self.depth)
        low, high = values.min(), values.max()
        self.step = (high - low) / 255
        """What a grey level is worth, metres or 1 / metres."""
        grey = np.rint((values - low) / self.step).astype(np.uint8)
        self.path = folder / f"{kind}.png"
        cv2.imwrite(str(self.path), np.repeat(grey[..., None], 3, axis=2))

    def _in_space(self, depth: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        return 1 / depth.astype(np.float64) if self.kind == "disparity" else depth.astype(np.float64)

    def points(self) -> list[str]:
        """Three points on smooth surfaces, near, between and far, with their exact depth along the axis."""
        inner = self.depth[3:-3, 3:-3]
        rough = np.stack([np.roll(self.depth, shift, axis) for axis in (0, 1) for shift in (-2, 2)]).std(0)[3:-3, 3:-3]
        smooth = np.where(rough < 0.02, inner, np.nan)
        found = []
        for wanted in np.nanpercentile(smooth, (2, 50, 98)):
            row, column = np.unravel_index(np.nanargmin(np.abs(smooth - wanted)), smooth.shape)
            found.append(f"{column + 3},{row + 3}={inner[row, column]:.6f}")
        return found

    def assert_right(self, metres: NDArray[np.floating[Any]]) -> None:
        """Within two grey levels of the truth, in the space in which the picture holds it."""
        assert np.abs(self._in_space(metres) - self._in_space(self.depth)).max() < 2 * self.step


def calibrate(bundle: Path, scene: Path, points: list[str], *options: object) -> int:
    typed = [part for point in points for part in ("--point", point)]
    out = str(bundle.parent / "c.json")
    words = ["calibrate", str(bundle), "--source", str(scene), "--out", out, "--engine", "onnxruntime"]
    return main([*words, *typed, *map(str, options)])


def run(bundle: Path, scene: Path, *options: object) -> int:
    return main(["run", str(bundle), "--source", str(scene), "--engine", "onnxruntime", *map(str, options)])


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("clipdepth: error: ")
    assert err.count("\n") == 1
    return err


METRES = ("depth", "x.npz", "x.ply", "x.rrd", "x.mcap")
COLOURS = ("x.mp4", "x.m4v", "x.mov", "x.mkv", "x.webm", "x.jpg", "x.jpeg")


@kinds
@pytest.mark.parametrize("output", METRES)
def test_an_output_in_metres_is_refused_before_any_frame(
    kind: DepthKind, output: str, of_kind: Callable[[DepthKind], Path], tmp_path: Path, capsys: Any
) -> None:
    scene = Scene(kind, tmp_path)
    before = sorted(tmp_path.iterdir())
    assert run(of_kind(kind), scene.path, "--output", tmp_path / "video.mp4", "--output", tmp_path / output) == 2
    err = one_line(capsys)
    assert output in err
    assert "an unknown scale and shift" in err
    assert CALIBRATE in err
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / f"{kind}.bundle"])


def test_those_are_all_outputs_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"give a name in (.+), or a folder") as error:
        open_sink(tmp_path / "x.none", 0.3, 6)
    listed = str(error.value).partition("a name in ")[2].partition(", or a folder")[0]
    named = set(listed.replace(" or ", ", ").split(", "))
    assert named == {Path(each).suffix for each in (*METRES, *COLOURS)} - {""}


@kinds
def test_what_writes_metres_takes_no_others_by_itself(kind: DepthKind) -> None:
    image = np.zeros((6, 8, 3), np.uint8)
    frame = DepthFrame(image, np.ones((6, 8), np.float32), default_intrinsics(6, 8), kind=kind)
    for write in (write_png, write_npz, write_ply):
        with pytest.raises(NotMetricError, match=CALIBRATE):
            write(frame, BytesIO())
    with pytest.raises(NotMetricError, match=CALIBRATE):
        frame.points()


@kinds
def test_archives_and_ranges_in_metres_are_refused(
    kind: DepthKind, of_kind: Callable[[DepthKind], Path], tmp_path: Path, capsys: Any
) -> None:
    scene, bundle = Scene(kind, tmp_path), of_kind(kind)
    pytest.importorskip("ray")
    assert main(["archive", str(bundle), str(scene.path), "--out", str(tmp_path / "out")]) == 2
    assert CALIBRATE in one_line(capsys)
    assert not (tmp_path / "out").exists()
    assert run(bundle, scene.path, "--range", "1,3") == 2
    assert "--range needs metres" in one_line(capsys)


@kinds
def test_pictures_hold_nothing_of_scale_and_shift(kind: DepthKind) -> None:
    """So there cannot be a metre in them: any scale and shift of the answer gives the same picture."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    answer = rng.integers(0, 1000, (48, 64)).astype(np.float32)
    others = [answer * 4, answer - 500, answer / 8 + 3]
    for draw in (
        lambda depth, near: side_by_side(image, depth, near, 6.0, kind),
        lambda depth, near: WindowPicture(image, depth, near, 6.0, kind).pointed((20, 20)),
    ):
        first = draw(answer, 0.3)
        for other in others:
            assert np.abs(draw(other, 1.5).astype(int) - first).max() <= 12  # a level of the colours, by rounding
    blue, _, red = (
        side_by_side(image, np.tile(np.linspace(-1, 1, 64, dtype=np.float32), (48, 1)), 0, 1, kind)[
            :, 64:128, channel
        ].astype(int)
        for channel in range(3)
    )
    near, far = (-2, 1) if kind == "disparity" else (1, -2)
    assert (red - blue)[:, near].min() > 100
    assert (blue - red)[:, far].min() > 0


@kinds
def test_a_run_says_so_and_its_video_plays(
    kind: DepthKind, of_kind: Callable[[DepthKind], Path], tmp_path: Path, capsys: Any
) -> None:
    scene = Scene(kind, tmp_path)
    report = tmp_path / "r.json"
    assert run(of_kind(kind), scene.path, "--output", tmp_path / "x.mp4", "--json", report, "--smooth") == 0
    licence, answers = capsys.readouterr().err.splitlines()
    assert licence == "licences: graph: MIT"
    assert "an unknown scale and shift" in answers
    assert CALIBRATE in answers
    found = json.loads(report.read_text())
    assert (found["kind"], found["licences"]) == (kind, {"graph": "MIT"})
    assert cv2.VideoCapture(str(tmp_path / "x.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 1


@kinds
def test_python_gets_the_answer_and_its_kind(kind: DepthKind, of_kind: Callable[[DepthKind], Path]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    with clipdepth.load(of_kind(kind), engine="onnxruntime", camera=clipdepth.Camera.from_fov(20)) as model:
        frame = model(image)
    assert frame.kind == kind
    # The focal length is no matter of what has no metres.
    np.testing.assert_allclose(frame.depth, brightness_depth(image), atol=1e-5)


@kinds
def test_three_points_make_metres_of_all_pixels(
    kind: DepthKind, of_kind: Callable[[DepthKind], Path], tmp_path: Path, capsys: Any
) -> None:
    scene, bundle = Scene(kind, tmp_path), of_kind(kind)
    picture = tmp_path / "p.png"
    assert calibrate(bundle, scene.path, scene.points(), "--along", "axis", "--fov", 60, "--picture", picture) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert ("1 / depth" if kind == "disparity" else "depth") + " along the optical axis is" in out
    assert cv2.imread(str(picture)).shape[0] == HEIGHT
    found = json.loads((tmp_path / "c.json").read_text())
    assert found["kind"] == kind
    for point in found["points"]:
        at = scene.depth[round(point["y"]), round(point["x"])]
        assert abs(point["residual"]) < 2 * scene.step * (at if kind == "disparity" else 1 / at)
    calibrated = ["--calibration", tmp_path / "c.json"]
    outputs = ["--output", tmp_path / "d", "--output", tmp_path / "x.npz", "--output", tmp_path / "x.ply"]
    assert run(bundle, scene.path, *calibrated, *outputs) == 0
    assert CALIBRATE not in capsys.readouterr().err
    scene.assert_right(np.load(tmp_path / "x_000000.npz")["depth"])
    png = cv2.imread(str(tmp_path / "d" / "depth_000000.png"), cv2.IMREAD_UNCHANGED)
    assert np.abs(png / 1000 - np.load(tmp_path / "x_000000.npz")["depth"]).max() <= 0.00051
    assert b"element vertex %d" % (HEIGHT * WIDTH) in (tmp_path / "x_000000.ply").read_bytes()[:200]
    with clipdepth.load(bundle, engine="onnxruntime", camera=clipdepth.Camera.from_file(tmp_path / "c.json")) as model:
        frame = model(cv2.imread(str(scene.path)))
    assert frame.kind == "metric"
    np.testing.assert_allclose(frame.points()[..., 2], frame.metres)


@kinds
def test_along_the_axis_no_camera_is_needed_but_points_in_space_need_one(
    kind: DepthKind, of_kind: Callable[[DepthKind], Path], tmp_path: Path, capsys: Any
) -> None:
    scene, bundle = Scene(kind, tmp_path), of_kind(kind)
    assert calibrate(bundle, scene.path, scene.points()) == 2
    err = one_line(capsys)
    assert "--fov or --focal-px" in err
    assert "--along axis" in err
    assert calibrate(bundle, scene.path, scene.points(), "--along", "axis") == 0
    assert json.loads((tmp_path / "c.json").read_text())["camera"] is None
    capsys.readouterr()
    calibrated = ["--calibration", tmp_path / "c.json"]
    for name in ("x.ply", "x.rrd"):
        assert run(bundle, scene.path, *calibrated, "--output", tmp_path / name) == 2
        assert "--focal-px" in one_line(capsys)
    assert run(bundle, scene.path, *calibrated, "--output", tmp_path / "d") == 0
    scene.assert_right(cv2.imread(str(tmp_path / "d" / "depth_000000.png"), cv2.IMREAD_UNCHANGED) / 1000)
    unknown = DepthFrame(np.zeros((2, 2, 3), np.uint8), np.ones((2, 2), np.float32), Intrinsics.unknown(2, 2))
    with pytest.raises(UnknownCameraError, match="--fov"):
        unknown.points()


@kinds
def test_a_point_that_is_wrong_is_shown_and_told(
    kind: DepthKind, of_kind: Callable[[DepthKind], Path], tmp_path: Path, capsys: Any, caplog: Any
) -> None:
    scene, bundle = Scene(kind, tmp_path), of_kind(kind)
    near, between, far = scene.points()
    wrong = f"{between.partition('=')[0]}={float(between.partition('=')[2]) * 2}"
    assert calibrate(bundle, scene.path, [near, wrong, far], "--along", "axis") == 0
    assert "disagree with one scale and shift" in caplog.text
    worst = max(json.loads((tmp_path / "c.json").read_text())["points"], key=lambda point: abs(point["residual"]))
    assert f"({worst['residual']:+.1%})" in capsys.readouterr().out


@kinds
def test_far_beyond_the_points_depth_stays_positive_and_finite(
    kind: DepthKind, of_kind: Callable[[DepthKind], Path], tmp_path: Path
) -> None:
    scene, bundle = Scene(kind, tmp_path), of_kind(kind)
    points = scene.points()
    assert calibrate(bundle, scene.path, points, "--along", "axis") == 0
    _, conversion = read_calibration(tmp_path / "c.json", open_bundle(bundle).manifest)
    metres = conversion(np.array([-1e6, -1, 0, 1e6], np.float32))
    typed = [float(point.partition("=")[2]) for point in points]
    assert metres.min() == pytest.approx(min(typed) / 10)
    assert metres.max() == pytest.approx(max(typed) * 10)


@kinds
def test_points_that_tell_no_scale_are_one_line(
    kind: DepthKind, of_kind: Callable[[DepthKind], Path], tmp_path: Path, capsys: Any
) -> None:
    scene, bundle = Scene(kind, tmp_path), of_kind(kind)
    near, _, far = scene.points()
    swapped = [f"{a.partition('=')[0]}={b.partition('=')[2]}" for a, b in ((near, far), (far, near))]
    cases = {"one point": [near], "at all points": [near, near], "pixels and metres of --point": swapped}
    for expected, points in cases.items():
        assert calibrate(bundle, scene.path, points, "--along", "axis") == 2
        assert expected in one_line(capsys)
        assert not (tmp_path / "c.json").exists()


def test_a_calibration_of_a_metric_model_is_as_before(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "metric.bundle", HEIGHT, WIDTH)
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((HEIGHT, WIDTH, 3), 51, np.uint8))
    assert calibrate(bundle, tmp_path / "grey.png", ["80,60=3"], "--along", "axis") == 0
    manifest, path = open_bundle(bundle).manifest, tmp_path / "c.json"
    camera, conversion = read_calibration(path, manifest)
    found = json.loads(path.read_text())
    for field in ("kind", "shift", "depth"):
        del found[field]
    for point in found["points"]:
        del point["residual"]
    path.write_text(json.dumps(found))
    assert read_calibration(path, manifest) == (camera, conversion)
    assert conversion.scale == pytest.approx(2)


@pytest.mark.parametrize("change", [{"kind": "metric"}, {"depth": None}, {"depth": {"minimum": 3, "maximum": 1}}])
def test_a_calibration_that_does_not_fit_is_one_line(
    change: dict[str, Any], of_kind: Callable[[DepthKind], Path], tmp_path: Path, capsys: Any
) -> None:
    scene, bundle, path = Scene("relative", tmp_path), of_kind("relative"), tmp_path / "c.json"
    assert calibrate(bundle, scene.path, scene.points(), "--along", "axis") == 0
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    capsys.readouterr()
    assert run(bundle, scene.path, "--calibration", path, "--output", tmp_path / "d") == 1
    assert "write it again with 'clipdepth calibrate'" in one_line(capsys)
    assert not (tmp_path / "d").exists()


def test_smoothing_takes_answers_of_0_and_below() -> None:
    smoother, rng = Smoother(), np.random.default_rng(0)
    frame, still = np.full((8, 8, 3), 90, np.uint8), np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8)
    noisy = [still + rng.normal(0, 0.005, still.shape).astype(np.float32) for _ in range(30)]
    steadied = [smoother.smooth(frame, answer, "disparity") for answer in noisy]
    assert np.std(steadied[-5:], axis=0).mean() < 0.3 * np.std(noisy, axis=0).mean()
    np.testing.assert_allclose(smoother.smooth(frame, still + 1, "disparity"), still + 1, atol=1e-6)  # a step


def test_models_tells_of_any_bundle(of_kind: Callable[[DepthKind], Path], tmp_path: Path, capsys: Any) -> None:
    bundle, report = of_kind("disparity"), tmp_path / "m.json"
    assert main(["models", str(bundle), "--json", str(report)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "relative inverse depth" in out
    assert "graph: MIT" in out
    (found,) = json.loads(report.read_text())["models"]
    assert (found["kind"], found["camera"], found["path"]) == ("disparity", None, os.fspath(bundle))
