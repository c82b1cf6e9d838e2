"""What `--data` names: a dataset with depth, or pictures and videos without, each with its weight."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clipdepth.errors import UsageError

ROOMS = "rooms"
_SPLITS = ("train", "test")


@dataclass(frozen=True)
class NamedData:
    """A dataset and how often an epoch shows each of its pictures, on average."""

    name: str
    """A folder, a video or 'rooms'."""
    weight: float = 1.0


def named_data(text: str) -> NamedData:
    """Read 'NAME' or 'NAME:WEIGHT'; raises UsageError for a weight of 0 and for no name."""
    found = re.fullmatch(r"(.+):([0-9]+(?:\.[0-9]*)?)", text)
    name, weight = (found[1], float(found[2])) if found else (text, 1.0)
    if not name or weight <= 0:
        raise UsageError(f"--data '{text}' is not NAME or NAME:WEIGHT with a weight above 0, such as my-videos:0.5")
    return NamedData(name, weight)


def is_unmeasured(name: str) -> bool:
    """Whether `name` holds pictures or videos without depth: a file, or a folder that has no split of RGB-D pairs.

    What is not there counts as a dataset, whose opening tells what is wrong.
    """
    path = Path(name)
    if name == ROOMS or not path.exists():
        return False
    return not any((path / f"{split}.txt").is_file() or (path / split).is_dir() for split in _SPLITS)


def measured_data(data: Sequence[str]) -> str:
    """The first dataset of a recipe's `data` that has depth; the first of all where none has."""
    names = [named_data(text).name for text in data]
    return next((name for name in names if not is_unmeasured(name)), names[0])
