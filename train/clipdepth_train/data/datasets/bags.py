"""Bags of ROS 2, SQLite or MCAP, and of ROS 1, with a topic of pictures, one of their depth and one of CameraInfo.

    FROM/kitchen/metadata.yaml, kitchen_0.db3 or kitchen_0.mcap     or an .mcap, .db3 or .bag by itself

Depth has to be registered to the picture, as realsense2_camera's aligned_depth_to_color is. A lens that bends is
undone. Each bag is a scene; pictures and depth are paired by the time stamps in their headers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from clipdepth.camera.files.ros import camera_of_info
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import SizedCamera
from clipdepth.errors import DataError
from clipdepth.sources import BAG_METADATA, BAG_SUFFIXES
from clipdepth.sources.ros.bag import Bag, open_bag, stamp_ns
from clipdepth.sources.ros.depth import depth_of
from clipdepth.sources.ros.pictures import picture_of
from clipdepth.sources.ros.topics import is_rectified
from clipdepth_train.data.datasets.association import associate
from clipdepth_train.data.datasets.pair import Depth, Options, Pair, Picture
from clipdepth_train.data.datasets.straight import Straight, straight_of
from clipdepth_train.data.datasets.topics import Topics, choose_topics


def read(source: Path, options: Options) -> Iterator[Pair]:
    """See `Read`; `source` may be a single bag too. Raises MissingExtraError without rosbags."""
    bags = [source] if source.is_file() else _bags(source)
    if not bags:
        raise DataError(f"no {BAG_METADATA} and no {', '.join(BAG_SUFFIXES)} in {source}; give a folder with bags")
    for bag in bags:
        scene = bag.relative_to(source).with_suffix("") if bag != source else Path(bag.stem)
        yield from read_bag(bag, scene.as_posix(), options)


def read_bag(path: Path, scene: str, options: Options) -> Iterator[Pair]:
    """The pairs of one bag, in the order of their times."""
    with open_bag(path, "bags") as bag:
        if bag.is_of_sdk:
            raise DataError(
                f"{path} is a recording of RealSense's SDK, whose depth is not aligned with its colour; play "
                "it with realsense2_camera and align_depth, and record that, or export it as a folder (docs/data.md)"
            )
        topics = choose_topics(f"{path}", bag.types, options)
        straight = straight_of(_camera(bag, path, topics))
        stamps = _Stamps.of(bag, topics, path)
        if options.depth_topic is None:
            stamps.refuse_unregistered(path, topics)
        yield from _pairs(bag, topics, straight, associate(stamps.picture, stamps.depth, options.within), scene)


@dataclass(frozen=True)
class _Stamps:
    """When pictures and depth were taken, seconds since the first, and by which optical frames."""

    picture: list[float]
    depth: list[float]
    frames: tuple[str, str]

    @classmethod
    def of(cls, bag: Bag, topics: Topics, path: Path) -> "_Stamps":
        found: dict[str, list[int]] = {topics.picture: [], topics.depth: []}
        frames = dict[str, str]()
        for topic, recorded, message in bag.messages(*found):
            found[topic].append(stamp_ns(message, recorded))
            frames[topic] = message.header.frame_id
        for topic, times in found.items():
            if not times:
                raise DataError(f"{path} has no message in {topic}; record it again")
        first = min(map(min, found.values()))
        picture, depth = ([(time - first) / 1e9 for time in found[topic]] for topic in (topics.picture, topics.depth))
        return cls(picture, depth, (frames[topics.picture], frames[topics.depth]))

    def refuse_unregistered(self, path: Path, topics: Topics) -> None:
        """Raise DataError where depth is another camera's."""
        picture, depth = self.frames
        if picture != depth:
            raise DataError(
                f"{path}: {topics.depth} is seen from {depth}, {topics.picture} from {picture}; record "
                "depth that is aligned with the picture, or name it with --depth-topic if it is"
            )


def _pairs(bag: Bag, topics: Topics, straight: Straight, partners: list[tuple[int, int]], scene: str) -> Iterator[Pair]:
    """Read both topics again, and put pairs together; only those wait in memory whose partner comes later."""
    wanted = {topics.picture: dict(partners), topics.depth: {other: one for one, other in partners}}
    number = {one: index for index, (one, _) in enumerate(partners)}
    counts = {topics.picture: 0, topics.depth: 0}
    waiting: dict[int, dict[str, Any]] = {}
    for topic, _, message in bag.messages(topics.picture, topics.depth):
        index = counts[topic]
        counts[topic] += 1
        if index not in wanted[topic]:
            continue
        one = index if topic == topics.picture else wanted[topic][index]
        both = waiting.setdefault(one, {})
        both[topic] = message
        if len(both) == 2:
            del waiting[one]
            picture = partial(_picture, both[topics.picture], topics, straight)
            depth = partial(_depth, both[topics.depth], topics, straight)
            yield Pair(scene, f"{number[one]:05d}", straight.intrinsics, picture, depth)


def _picture(message: Any, topics: Topics, straight: Straight) -> Picture:
    picture = picture_of(message, topics.picture)
    _require_size(picture.shape, straight.intrinsics, topics.picture)
    return straight.picture(picture)


def _depth(message: Any, topics: Topics, straight: Straight) -> Depth:
    depth = depth_of(message, topics.depth)
    _require_size(depth.shape, straight.intrinsics, topics.depth)
    return straight.depth(depth)


def _require_size(shape: tuple[int, ...], camera: Intrinsics, topic: str) -> None:
    if shape[:2] != (camera.height, camera.width):
        raise DataError(
            f"{topic} has {shape[1]}×{shape[0]} pixels, its camera {camera.width}×{camera.height}; "
            "record depth that is aligned with the picture"
        )


def _camera(bag: Bag, path: Path, topics: Topics) -> SizedCamera:
    for _, _, info in bag.messages(topics.info):
        camera = camera_of_info(info, f"{path}: {topics.info}", is_rectified(topics.picture))
        if camera is None:
            raise DataError(f"{path}: {topics.info} is not calibrated; calibrate the camera and record again")
        return camera
    raise DataError(f"{path} has no message in {topics.info}; record it again")


def _bags(source: Path) -> list[Path]:
    """Folders with metadata, and files that are not in one."""
    folders = {path.parent for path in source.rglob(BAG_METADATA)}
    files = (path for path in source.rglob("*") if path.suffix in BAG_SUFFIXES and path.parent not in folders)
    return sorted([*folders, *files])
