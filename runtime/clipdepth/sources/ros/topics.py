"""Which topics of a bag hold pictures, and which their camera."""

from collections.abc import Callable, Mapping, Sequence

from clipdepth.errors import SourceError

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
Types = Mapping[str, str]
"""Topics and the types of their messages."""
Rank = Callable[[str], tuple[bool, ...]]
"""What comes first among topics: the least."""
COMPRESSED_NAMES = ("/compressedDepth", "/compressed")
_NOT_COLOUR = ("depth", "infra", "/ir", "confidence", "disparity", "mask")


def picture_topic(bag: str, types: Types, asked: str | None, option: str) -> str:
    """The topic of pictures: the one that is `asked` for, or what the names leave to choose.

    What is not compressed comes before what is. Raises SourceError, with what there is and the `option` to give, where
    that does not decide.
    """
    colours = [topic for topic in images(types) if not any(word in topic.lower() for word in _NOT_COLOUR)]
    return chosen(bag, asked, images(types), colours, _rank, "picture", option)


def images(types: Types) -> list[str]:
    """The topics of images: pictures, depth and whatever else."""
    return [topic for topic, kind in types.items() if kind in (IMAGE, COMPRESSED)]


def chosen(
    bag: str, asked: str | None, images: Sequence[str], fitting: Sequence[str], rank: Rank, what: str, option: str
) -> str:
    """The topic that is `asked` for among `images`, or the one of `fitting` that comes first; see `picture_topic`."""
    if asked is not None:
        if asked not in images:
            named = named_topics(images)
            raise SourceError(f"{bag} has no pictures in topic {asked}, but in {named}; give another {option}")
        return asked
    best = [topic for topic in fitting if rank(topic) == min(map(rank, fitting))]
    if len(best) != 1:
        none = f"no topic of {what}, pictures in {named_topics(images)}"
        found = f"several topics of {what}: {named_topics(best)}" if best else none
        raise SourceError(f"{bag} has {found}; give one with {option}")
    return best[0]


def is_rectified(topic: str) -> bool:
    """Whether its pictures are straight already, by ROS's names: image_rect, image_rect_color."""
    return "rect" in topic


def is_compressed(topic: str) -> bool:
    """Whether its name says that its pictures are compressed."""
    return topic.endswith(COMPRESSED_NAMES)


def infos_of(picture: str, types: Types) -> list[str]:
    """The topics that may be the camera of pictures: the one beside them, else all there are."""
    infos = [topic for topic, kind in types.items() if kind == CAMERA_INFO]
    return [topic for topic in infos if topic in beside(picture)] or infos


def beside(picture: str) -> tuple[str, ...]:
    """Where the camera of a topic of pictures belongs."""
    plain = picture
    for name in COMPRESSED_NAMES:
        plain = plain.removesuffix(name)
    return f"{plain.rpartition('/')[0]}/camera_info", plain.replace("/image/data", "/info/camera_info")


def named_topics(topics: Sequence[str]) -> str:
    """Their names, for errors."""
    return ", ".join(sorted(topics)) or "none"


def _rank(topic: str) -> tuple[bool, ...]:
    return not any(word in topic for word in ("color", "rgb")), not is_rectified(topic), is_compressed(topic)
