"""Which topics of a bag hold pictures, their depth and their camera."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clipdepth.errors import DataError
from clipdepth_train.data.datasets.pair import Options

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
_NOT_COLOUR = ("depth", "infra", "/ir", "confidence", "disparity", "mask")
_COMPRESSED_NAMES = ("/compressedDepth", "/compressed")


@dataclass(frozen=True)
class Topics:
    """The topics that are read."""

    picture: str
    depth: str
    info: str


def choose_topics(bag: str, types: Mapping[str, str], options: Options) -> Topics:
    """Choose among `types`, topics and their messages' types, what `options` leave open.

    Depth that is aligned with colour comes before depth that is not, what is not compressed before what is. Raises
    DataError, with what there is, where that does not decide.
    """
    images = [topic for topic, kind in types.items() if kind in (IMAGE, COMPRESSED)]
    depths = [topic for topic in images if "depth" in topic.lower() and "confidence" not in topic.lower()]
    colours = [topic for topic in images if not any(word in topic.lower() for word in _NOT_COLOUR)]
    depth = _chosen(bag, options.depth_topic, images, depths, _depth_rank, "depth")
    picture = _chosen(bag, options.picture_topic, images, colours, _picture_rank, "picture")
    return Topics(picture, depth, _info(bag, picture, types))


def _chosen(
    bag: str,
    asked: str | None,
    images: list[str],
    fitting: list[str],
    rank: Callable[[str], tuple[bool, ...]],
    what: str,
) -> str:
    if asked is not None:
        if asked not in images:
            raise DataError(
                f"{bag} has no pictures in topic {asked}, but in {_named(images)}; give another --{what}-topic"
            )
        return asked
    best = [topic for topic in fitting if rank(topic) == min(map(rank, fitting))]
    if len(best) != 1:
        found = (
            f"several topics of {what}: {_named(best)}" if best else f"no topic of {what}, pictures in {_named(images)}"
        )
        raise DataError(f"{bag} has {found}; give one with --{what}-topic")
    return best[0]


def _depth_rank(topic: str) -> tuple[bool, ...]:
    return not any(word in topic for word in ("aligned", "registered", "to_color", "to_rgb")), _is_compressed(topic)


def _picture_rank(topic: str) -> tuple[bool, ...]:
    return not any(word in topic for word in ("color", "rgb")), "rect" not in topic, _is_compressed(topic)


def _is_compressed(topic: str) -> bool:
    return topic.endswith(_COMPRESSED_NAMES)


def _info(bag: str, picture: str, types: Mapping[str, str]) -> str:
    infos = [topic for topic, kind in types.items() if kind == CAMERA_INFO]
    plain = picture
    for name in _COMPRESSED_NAMES:
        plain = plain.removesuffix(name)
    beside = (f"{plain.rpartition('/')[0]}/camera_info", plain.replace("/image/data", "/info/camera_info"))
    found = [topic for topic in infos if topic in beside] or infos
    if len(found) != 1:
        raise DataError(f"{bag} has no {beside[0]}, the camera of {picture}, but {_named(infos)}; record it too")
    return found[0]


def _named(topics: list[str]) -> str:
    return ", ".join(sorted(topics)) or "none"
