"""Depth that a source's own sensor measured: carried beside the picture, kept, and compared with ours.

The sensor is a drawn room's exact depth with holes in it, and the model answers by brightness.
"""

import json
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bundles import brightness_depth, write_bundle
from clipdepth.camera.camera import Camera
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import SizedCamera
from clipdepth.cli import main
from clipdepth.errors import SourceError
from clipdepth.model import load
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.rooms import Room, default_intrinsics
from clipdepth.sources import Captured, SourceOptions, open_source
from clipdepth.web.prometheus import exposition
from clipdepth.web.viewer.metrics import ViewerMetrics
from clipdepth.web.viewer.setup import Setup
from clipdepth.web.viewer.status import Status

HEIGHT, WIDTH = 48, 64
START = 1_700_000_000.0
TOPIC, INFO, DEPTH = "/front/image_raw", "/front/camera_info", "/front/aligned_depth/image_raw"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle") / "bright")


def seen(count: int) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Pictures of a room with their depth, NaN in a corner, 0 in another and at random pixels."""
    views, rng = [], np.random.default_rng(0)
    for step in range(count):
        view = Room(5).render(step / 2, default_intrinsics(HEIGHT, WIDTH))
        depth = view.depth.copy()
        depth[:7, :9] = np.nan
        depth[-5:, -8:] = 0
        depth[rng.random(depth.shape) < 0.1] = 0
        views.append((view.frame, depth))
    return views


def compared(ours: NDArray[Any], its: NDArray[Any]) -> tuple[float, float, float, float]:
    """AbsRel, delta 1, the median of ours / its, and the share of pixels with both, pixel by pixel."""
    pairs = [(float(a), float(b)) for a, b in zip(ours.flat, its.flat, strict=True) if a > 0 and b > 0]
    ratios = sorted(a / b for a, b in pairs)
    middle = len(ratios) // 2
    median = ratios[middle] if len(ratios) % 2 else (ratios[middle - 1] + ratios[middle]) / 2
    rel = sum(abs(a - b) / b for a, b in pairs) / len(pairs)
    delta1 = sum(max(a / b, b / a) < 1.25 for a, b in pairs) / len(pairs)
    return rel, delta1, median, len(pairs) / ours.size


def run(*arguments: object) -> int:
    return main(["run", *map(str, arguments), "--engine", "onnxruntime"])


def reported(path: Path) -> dict[str, float]:
    (source,) = json.loads(path.read_text())["sources"]
    return dict(source["measured"])


def assert_report(found: dict[str, float], ours: list[NDArray[Any]], its: list[NDArray[Any]]) -> None:
    means = np.mean([compared(a, b) for a, b in zip(ours, its, strict=True)], axis=0)
    assert found["frames"] == len(ours)
    names = ("rel", "delta1", "median_ratio", "share")
    np.testing.assert_allclose([found[name] for name in names], means, rtol=1e-5)


def test_a_bag_with_depth_is_compared_and_kept(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Depth comes before its picture, after it, and 15 ms off; that of the last picture is missing."""
    pytest.importorskip("rosbags")
    pytest.importorskip("mcap")
    from ros_bags import camera_info, image, write_bag

    views = seen(4)
    fx = default_intrinsics(HEIGHT, WIDTH).fx
    messages = [(INFO, START, camera_info(START, (WIDTH, HEIGHT), (fx, fx), (31.5, 23.5)))]
    for index, ((picture, depth), off) in enumerate(zip(views, (-0.015, 0.0, 0.015, 0.2), strict=True)):
        time = START + index / 2
        messages.append((TOPIC, time + 0.001, image(time, "bgr8", picture)))
        messages.append((DEPTH, time + off + 0.002, image(time + off, "32FC1", depth)))
    bag = write_bag(tmp_path / "walk", sorted(messages, key=lambda each: each[1]), "mcap")
    kept, report = tmp_path / "kept", tmp_path / "r.json"
    outputs = ("--output", kept / "x.npz", "--output", tmp_path / "x.mcap", "--json", report)
    assert run(bundle, "--source", bag, "--measured", DEPTH, *outputs) == 0

    arrays = [np.load(file) for file in sorted(kept.glob("*.npz"))]
    assert ["measured" in each for each in arrays] == [True, True, True, False]
    for each, (picture, depth) in zip(arrays[:3], views, strict=False):
        np.testing.assert_array_equal(each["frame"], picture)
        np.testing.assert_array_equal(each["measured"], np.where(depth > 0, depth, np.nan))
        assert each["measured"].dtype == np.float32
    assert_report(reported(report), [each["depth"] for each in arrays[:3]], [depth for _, depth in views[:3]])
    out = capsys.readouterr().out
    assert f"sensor   AbsRel {reported(report)['rel']:.3f}, " in out
    assert "errors of its own" in out

    # What was recorded can be compared again: a topic of ours as any other.
    assert run(bundle, "--source", tmp_path / "x.mcap", "--measured", "/camera/measured", "--json", report) == 0
    assert_report(reported(report), [each["depth"] for each in arrays[:3]], [depth for _, depth in views[:3]])


def write_pairs(folder: Path, count: int) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Pictures, and PNGs of millimetres, as NYU's folders have them."""
    folder.mkdir()
    views = seen(count)
    for index, (picture, depth) in enumerate(views):
        cv2.imwrite(str(folder / f"rgb_{index}.png"), picture)
        millimetres = np.rint(np.nan_to_num(depth) * 1000).astype(np.uint16)
        cv2.imwrite(str(folder / f"sync_depth_{index}.png"), millimetres)
    return views


def test_a_folder_of_pairs_is_compared(tmp_path: Path, bundle: Path) -> None:
    # More than ten: 2 comes before 10.
    views, report = write_pairs(tmp_path / "nyu", 11), tmp_path / "r.json"
    for where in (tmp_path / "nyu", tmp_path / "nyu" / "sync_depth_*.png"):
        assert run(bundle, "--source", tmp_path / "nyu", "--measured", where, "--json", report) == 0
        its = [np.rint(np.nan_to_num(depth) * 1000) / 1000 for _, depth in views]
        assert_report(reported(report), [brightness_depth(picture) for picture, _ in views], its)
    assert run(bundle, "--source", tmp_path / "nyu", "--json", report) == 0
    assert json.loads(report.read_text())["sources"][0]["measured"] is None


@pytest.mark.parametrize(("rotate", "mirror"), list(product((0, 90, 180, 270), (False, True))))
def test_it_is_turned_with_the_picture(bundle: Path, rotate: int, mirror: bool) -> None:
    picture, depth = seen(1)[0]
    with load(bundle, engine="onnxruntime", camera=Camera(fov=70, rotate=rotate, mirror=mirror)) as model:
        frame = model.depth_of(Captured(picture, 0.0, 0, measured=depth))
    turned = np.rot90(np.where(depth > 0, depth, np.nan), -rotate // 90)
    assert frame.measured is not None
    np.testing.assert_array_equal(frame.measured, turned[:, ::-1] if mirror else turned)


def test_it_is_made_straight_with_the_picture(bundle: Path) -> None:
    """A slope whose depth the picture's grey tells."""
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    depth = (1 + 0.02 * x + 0.005 * y).astype(np.float32)
    picture = np.repeat(np.rint((depth - 1) * 100).astype(np.uint8)[..., None], 3, axis=2)
    camera = SizedCamera(Intrinsics(WIDTH, HEIGHT, 55.0, 55.0, 31.5, 23.5), (-0.3, 0.1, 0.0, 0.0))
    with load(bundle, engine="onnxruntime") as model:
        frame = model.depth_of(Captured(picture, 0.0, 0, camera=camera, measured=depth))
    assert frame.measured is not None
    assert np.abs(frame.measured - depth).max() > 0.05
    # Half a pixel of the nearest one, and a level of the picture.
    assert np.nanmax(np.abs(frame.measured - (1 + frame.image[..., 0] / 100))) < 0.025 / 2 + 0.01
    assert np.isfinite(frame.measured).all()


def test_depth_that_does_not_fit_is_refused(tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pairs(tmp_path / "nyu", 2)
    (tmp_path / "nyu" / "sync_depth_0.png").unlink()
    for source, where, said in (
        (tmp_path / "nyu", tmp_path / "nyu", "has 1 images of depth for the 2 pictures of"),
        (tmp_path / "nyu" / "rgb_0.png", tmp_path / "no", "has 0 images of depth"),
        ("rooms", tmp_path, "--measured is for bags of ROS and folders of images"),
    ):
        assert run(bundle, "--source", source, "--measured", where, "--frames", 1) != 0
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1
    with load(bundle, engine="onnxruntime") as model, pytest.raises(SourceError, match="64×40 pixels and its picture"):
        model.depth_of(Captured(np.zeros((HEIGHT, WIDTH, 3), np.uint8), 0.0, 0, measured=np.ones((40, 64), np.float32)))


def test_depth_that_is_not_metric_is_not_compared(tmp_path: Path) -> None:
    write_pairs(tmp_path / "nyu", 1)
    relative, report = write_bundle(tmp_path / "relative", kind="relative"), tmp_path / "r.json"
    assert run(relative, "--source", tmp_path / "nyu", "--measured", tmp_path / "nyu", "--json", report) == 0
    assert json.loads(report.read_text())["sources"][0]["measured"] is None


def test_the_viewers_status_and_metrics_tell_it(tmp_path: Path, bundle: Path) -> None:
    views = write_pairs(tmp_path / "nyu", 3)
    source, status = open_source(str(tmp_path / "nyu"), SourceOptions(measured=str(tmp_path / "nyu"))), Status()
    with load(bundle, engine="onnxruntime") as model:
        with Pipeline(model.engine, model.bundle.manifest.inputs, [Feed(source)]) as pipeline:
            assert pipeline.wait(60)
        status.pipeline = pipeline
    its = [np.rint(np.nan_to_num(depth) * 1000) / 1000 for _, depth in views]
    (found,) = status.now()["sources"]
    assert_report(found["measured"], [brightness_depth(picture) for picture, _ in views], its)
    metrics = exposition(ViewerMetrics(Setup("onnxruntime", "CPU", "fp32", 0.3, 6.0), status, {})).decode()
    assert f'clipdepth_measured_abs_rel{{source="{source.name}"}} {found["measured"]["rel"]}' in metrics
    assert f'clipdepth_measured_median_ratio{{source="{source.name}"}}' in metrics
