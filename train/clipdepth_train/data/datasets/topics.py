"""Which topics of a bag hold pictures, their depth and their camera."""

from dataclasses import dataclass

from clipdepth.errors import DataError
from clipdepth.sources.ros.topics import (
    Types,
    beside,
    chosen,
    images,
    infos_of,
    is_compressed,
    named_topics,
    picture_topic,
)
from clipdepth_train.data.datasets.pair import Options


@dataclass(frozen=True)
class Topics:
    """The topics that are read."""

    picture: str
    depth: str
    info: str


def choose_topics(bag: str, types: Types, options: Options) -> Topics:
    """Choose among `types`, topics and their messages' types, what `options` leave open.

    Depth that is aligned with colour comes before depth that is not, what is not compressed before what is. Raises
    SourceError, with what there is, where that does not decide, DataError where there is no camera.
    """
    depths = [topic for topic in images(types) if "depth" in topic.lower() and "confidence" not in topic.lower()]
    depth = chosen(bag, options.depth_topic, images(types), depths, _depth_rank, "depth", "--depth-topic")
    picture = picture_topic(bag, types, options.picture_topic, "--picture-topic")
    return Topics(picture, depth, _info(bag, picture, types))


def _depth_rank(topic: str) -> tuple[bool, ...]:
    return not any(word in topic for word in ("aligned", "registered", "to_color", "to_rgb")), is_compressed(topic)


def _info(bag: str, picture: str, types: Types) -> str:
    found = infos_of(picture, types)
    if len(found) != 1:
        wanted = f"{beside(picture)[0]}, the camera of {picture}"
        raise DataError(f"{bag} has no {wanted}, but {named_topics(found)}; record it too")
    return found[0]
