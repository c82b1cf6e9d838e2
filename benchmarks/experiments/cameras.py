"""Depth of pictures of other shapes and focal lengths than a model's own, cut out of the frames of an RGB-D folder.

    python benchmarks/experiments/cameras.py edge-nyu --data nyu --out cameras [--frames 100] [--held-out 5]

A run's folder is taken too; its depth is PyTorch's.

Each picture is scored on its own pixels, beside the depth that the whole frame gives of the same pixels. `fitted` is
what clipdepth does with the true focal length. `stretched` is the way before: the picture stretched to the input's
shape, with the geometric mean of both ratios of focal lengths. A zoom below 1 is the frame, its edge repeated around
it. Writes `OUT/cameras.json` and prints a table.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from clipdepth.bundle.metrics import depth_metrics
from clipdepth.camera.camera import Camera
from clipdepth.camera.resize import resize_depth, resize_frame
from clipdepth.camera.sized import camera_from_focal
from clipdepth.files.atomic import write_json
from clipdepth.model import DepthModel, load
from clipdepth_train.candidate import open_candidate
from clipdepth_train.checkpoint import CHECKPOINT
from clipdepth_train.data.loader import open_set
from clipdepth_train.data.sample import RgbdPair, evenly_spread, intrinsics_of
from clipdepth_train.recipe import DataConfig

SHAPES = {"16:9": 16 / 9, "1:1": 1.0, "3:4": 3 / 4, "9:16": 9 / 16}
ZOOMS = (0.75, 1.25, 1.5)
Depth = NDArray[np.float32]
Way = Callable[[NDArray[np.uint8]], Depth]


@dataclass(frozen=True)
class Cut:
    """A part of a frame as a picture of its own, and where in it the frame's pixels lie."""

    picture: NDArray[np.uint8]
    rows: slice
    """Of the frame, that it shows."""
    columns: slice
    inside: tuple[slice, slice] = (slice(None), slice(None))
    """Where those lie in the picture."""


@dataclass(frozen=True)
class Score:
    """Means over frames of one kind of picture, by one way; `median_ratio` is that of predicted to true depth."""

    kind: str
    way: str
    frames: int
    rel: float
    delta1: float
    median_ratio: float


def main() -> None:
    """Cut, predict, score, note."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", help="a bundle, a model that ships, or a run's folder")
    parser.add_argument("--data", required=True)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--held-out", type=int, default=0, help="every n-th block of training frames, not test frames")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--precision")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    pairs = open_set(options.data, "test", DataConfig(held_out=options.held_out))
    focal = intrinsics_of(pairs).focal
    found: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    with ExitStack() as stack:
        ways: dict[str, Way]
        if (Path(options.model) / CHECKPOINT).is_file():
            run = stack.enter_context(open_candidate(options.model))
            ways = {"fitted": lambda picture: run.predict(seen(picture, focal))}
        else:
            camera, engine = Camera(focal_px=focal), options.engine
            model = load(options.model, engine=engine, precision=options.precision, camera=camera)
            stack.enter_context(model)
            ways = {"fitted": lambda picture: model(picture).depth, "stretched": lambda p: stretched(p, model)}
        for index in track(evenly_spread(len(pairs), options.frames), "frames"):
            pair = pairs[index]
            for kind, way, score in scores(pair, ways):
                found.setdefault((kind, way), []).append(score)
    rows = [Score(*key, len(each), *np.mean(each, axis=0).tolist()) for key, each in found.items()]
    name = Path(options.model).name
    write_json(options.out / "cameras.json", {"model": name, "scores": [asdict(row) for row in rows]})
    sys.stdout.write(table(rows))


def seen(picture: NDArray[np.uint8], focal: float) -> RgbdPair:
    """A picture of a camera, whose depth nobody knows."""
    height, width = picture.shape[:2]
    return RgbdPair(
        picture, np.zeros((height, width), np.float32), intrinsics=camera_from_focal(focal, width, height).intrinsics
    )


def scores(pair: RgbdPair, ways: Mapping[str, Way]) -> Iterator[tuple[str, str, tuple[float, float, float]]]:
    """Each kind of picture, by each way: rel, δ1 and the median ratio of predicted to true depth."""
    frame = np.ascontiguousarray(pair.frame)
    whole = ways["fitted"](frame)
    for kind, cut in cuts(frame):
        truth = pair.depth[cut.rows, cut.columns]
        by_way = {"whole frame": whole[cut.rows, cut.columns]}
        by_way |= {name: way(cut.picture)[cut.inside] for name, way in ways.items()}
        for way, depth in by_way.items():
            metrics = depth_metrics(depth, truth, max_depth=10.0)
            if metrics is not None:
                known = truth > 0
                yield kind, way, (metrics.rel, metrics.delta1, float(np.median(depth[known] / truth[known])))


def cuts(frame: NDArray[np.uint8]) -> Iterator[tuple[str, Cut]]:
    """The frame itself, in other shapes, and zoomed."""
    height, width = frame.shape[:2]
    yield "4:3", Cut(frame, slice(None), slice(None))
    for name, aspect in SHAPES.items():
        yield name, middle(frame, min(height, round(width / aspect)), min(width, round(height * aspect)))
    for zoom in ZOOMS:
        if zoom > 1:
            yield f"× {zoom:g}", middle(frame, round(height / zoom), round(width / zoom))
            continue
        above, aside = round(height * (1 / zoom - 1) / 2), round(width * (1 / zoom - 1) / 2)
        wider = np.asarray(cv2.copyMakeBorder(frame, above, above, aside, aside, cv2.BORDER_REPLICATE), np.uint8)
        inside = slice(above, above + height), slice(aside, aside + width)
        yield f"× {zoom:g}", Cut(wider, slice(None), slice(None), inside)


def middle(frame: NDArray[np.uint8], rows: int, columns: int) -> Cut:
    """The middle of a frame."""
    top, left = (frame.shape[0] - rows) // 2, (frame.shape[1] - columns) // 2
    place = slice(top, top + rows), slice(left, left + columns)
    return Cut(np.ascontiguousarray(frame[place]), *place)


def stretched(picture: NDArray[np.uint8], model: DepthModel) -> Depth:
    """Depth of a picture that is stretched to the first input, (H, W) float32 metres, as it was made before."""
    (height, width), size, camera = picture.shape[:2], model.bundle.manifest.input, model.bundle.manifest.camera
    assert camera is not None
    focal = model(picture).intrinsics.fx
    ratio = sqrt(focal * size.width / width / camera.fx * focal * size.height / height / camera.fy)
    answer = model.engine.infer(resize_frame(picture, size.height, size.width)[None]).depth[0]
    return np.asarray(resize_depth(answer, height, width) * ratio, np.float32)


def table(rows: list[Score]) -> str:
    """rel, δ1 and the median ratio of each kind of picture, a column for each way."""
    ways = list(dict.fromkeys(row.way for row in rows))
    lines = ["| picture | " + " | ".join(f"{way}: rel ↓, δ1 ↑, ratio" for way in ways) + " |"]
    lines.append("| --- |" + " --: |" * len(ways))
    for kind in dict.fromkeys(row.kind for row in rows):
        of_kind = {row.way: row for row in rows if row.kind == kind}
        cells = [f"{row.rel:.3f}, {row.delta1:.3f}, {row.median_ratio:.2f}" for row in map(of_kind.__getitem__, ways)]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
