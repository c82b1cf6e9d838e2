"""Pictures of one room in many shapes, through the pipeline and into point clouds: these lie on each other."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bundles import write_bundle
from clipdepth.bundle.answer import Answer
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.manifest import Manifest
from clipdepth.camera.camera import Camera
from clipdepth.camera.corrections import Corrections
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.rooms import Room
from clipdepth.sinks import open_sink
from clipdepth.sources.frames import FramesSource
from ply_files import read_ply
from slow_stages import Kept

TIME = 2.0
FOCAL = 288.0
"""Of pictures whose longer side is 320: the training camera's, so that it may be told or assumed."""
SHAPES = {"4:3": (240, 320), "16:9": (180, 320), "upright": (320, 240), "phone": (320, 180)}
OTHERS = ((90, 160), (160, 120))
SAMPLE = 200


class Truth:
    """A network without error: the training camera's depth of what its picture shows, and nothing where it is filled.

    The place of the frame in the picture is worked out here: in the middle, as large as it can be.
    """

    name, device = "truth", "CPU"

    def __init__(self, room: Room, camera: Intrinsics, trained: float) -> None:
        self._room, self._camera, self._trained = room, camera, trained

    def infer(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
        (picture,), camera = frames, self._camera
        height, width = picture.shape[:2]
        scale = min(height / camera.height, width / camera.width)
        rows, columns = round(camera.height * scale), round(camera.width * scale)
        top, left = (height - rows) // 2, (width - columns) // 2
        # Whole pixels: the frame's two scales differ by up to half a pixel of the picture's side.
        fx, fy = camera.fx * columns / camera.width, camera.fy * rows / camera.height
        seen = self._room.render(TIME, Intrinsics(columns, rows, fx, fy, (columns - 1) / 2, (rows - 1) / 2))
        inside = picture[top : top + rows, left : left + columns]
        assert np.abs(inside.astype(int) - seen.frame).mean() < 4, "the picture shows what it should"
        depth = np.full((1, height, width), np.nan, np.float32)
        depth[0, top : top + rows, left : left + columns] = seen.depth * (self._trained / (camera.fx * scale))
        return Answer(depth)

    def close(self) -> None:
        pass


def pinhole(height: int, width: int, focal: float) -> Intrinsics:
    return Intrinsics(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)


def cloud_of(room: Room, manifest: Manifest, camera: Intrinsics, told: Camera, path: Path) -> NDArray[np.float64]:
    """The points, (N, 3) metres, that a run over a picture of this camera writes."""
    picture = room.render(TIME, camera).frame
    kept, corrections = Kept(), Corrections(manifest, told)
    feed = Feed(FramesSource([picture]), [open_sink(path / "x.ply", 0.3, 6.0), kept], corrections)
    trained = manifest.camera
    assert trained
    with Pipeline(Truth(room, camera, trained.focal), manifest.inputs, [feed]) as pipeline:  # type: ignore[arg-type]
        pipeline.wait()
    ((frame, _),) = kept.got
    assert (frame.intrinsics.fx, frame.intrinsics.fy) == pytest.approx((camera.fx, camera.fx)), "square pixels"
    columns = read_ply(path / "x_000000.ply")
    assert len(columns["x"]) == picture.shape[0] * picture.shape[1], "every pixel has depth"
    return np.stack([columns[axis] for axis in "xyz"], 1)


def gaps(cloud: NDArray[np.float64], other: NDArray[np.float64], camera: Intrinsics) -> NDArray[np.float64]:
    """How far points of a cloud that the `other`'s camera sees too are from its nearest ones, metres."""
    u, v = (cloud[:, axis] / cloud[:, 2] * camera.fx for axis in (0, 1))
    shared = cloud[(np.abs(u) < camera.width / 2 - 2) & (np.abs(v) < camera.height / 2 - 2)]
    some = np.random.default_rng(0).permutation(shared)[:SAMPLE]
    squares = [((other - point) ** 2).sum(1).min() for point in some]
    return np.sqrt(squares)


@pytest.fixture(scope="module")
def room() -> Room:
    return Room(1)


@pytest.mark.parametrize(
    ("other_sizes", "told"),
    [((), Camera()), (OTHERS, Camera(focal_px=FOCAL, side=320))],
    ids=["one size, assumed", "three sizes, told"],
)
def test_clouds_of_one_room_from_pictures_of_all_shapes_lie_on_each_other(
    room: Room, tmp_path: Path, other_sizes: tuple[tuple[int, int], ...], told: Camera
) -> None:
    """Within an eighth of the width that the network's pixel has there, both ways; stretched ones are far apart."""
    manifest = open_bundle(write_bundle(tmp_path / "b", 120, 160, other_sizes=other_sizes)).manifest
    cameras = {name: pinhole(*shape, FOCAL) for name, shape in SHAPES.items()}
    clouds = {name: cloud_of(room, manifest, camera, told, tmp_path / name) for name, camera in cameras.items()}
    first, its_camera = clouds.pop("4:3"), cameras["4:3"]
    for name, cloud in clouds.items():
        pixel = 2 * float(np.median(cloud[:, 2])) / FOCAL
        assert gaps(cloud, first, its_camera).mean() < pixel / 8, name
        assert gaps(first, cloud, cameras[name]).mean() < pixel / 8, name
        assert gaps(cloud * (1.15, 1, 1), first, its_camera).mean() > pixel, name
