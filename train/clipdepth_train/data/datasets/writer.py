"""Our layout of any dataset: what has to be converted is written, the rest is listed where it lies.

    OUT/dataset.json                            which dataset it is, and from where
    OUT/source                                  a link to the dataset's folder
    OUT/depth_scale.txt                         units of the depth PNGs a metre
    OUT/scenes/SCENE/rgb_NAME.jpg               pictures and depth that were converted
    OUT/scenes/SCENE/sync_depth_NAME.png
    OUT/train.txt, OUT/test.txt                 `rgb depth fx fy cx cy` a line

Files are written whole or not at all, and those that are there are kept, so that the same command goes on after an
interruption; the lists are written last.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.cli.progress import follow
from clipdepth.errors import DataError, OutputError, UsageError
from clipdepth.files.atomic import make_folder, write_json, write_text
from clipdepth_train.data.datasets.held_out import splits_of
from clipdepth_train.data.datasets.pair import Pair
from clipdepth_train.data.folder import read_size
from clipdepth_train.data.layout import DEPTH_SCALE, SPLITS, write_depth, write_rgb

ABOUT, LINK, SCENES = "dataset.json", "source", "scenes"


@dataclass(frozen=True)
class Target:
    """Where a dataset goes, and what it is."""

    out: Path
    name: str
    source: Path
    """The dataset's own folder."""
    scale: float
    """Units of its depth PNGs a metre."""
    every: int = 1
    """Of so many pairs of a scene the first is taken."""
    told: Mapping[str, str] = field(default_factory=dict)
    """What a user said of the dataset, by the option: with another answer other files would be written."""


def write_dataset(target: Target, pairs: Iterable[Pair]) -> dict[str, int]:
    """Write the pairs that have to be written, and the lists; return how many there are in each split.

    Raises DataError where a file is missing, or not of its camera's size, UsageError where the folder holds another
    dataset. What holds no pair leaves no folder.
    """
    _refuse_another(target)
    listed, lines = list[Pair](), list[str]()
    seen = dict[str, int]()
    for pair in follow(pairs, target.name):
        if not seen:
            _claim(target)
        index = seen.get(pair.scene, 0)
        seen[pair.scene] = index + 1
        if index % target.every == 0:
            lines.append(_line(target, pair))
            listed.append(Pair(pair.scene, pair.name, pair.camera, target.out, target.out, pair.split, pair.place))
    if not listed:
        raise DataError(f"no pair of a picture and its depth in {target.source}; see docs/data.md")
    splits = splits_of(listed)
    write_text(target.out / DEPTH_SCALE, f"{target.scale:g}\n")
    for split in SPLITS:
        chosen = (line for line, of in zip(lines, splits, strict=True) if of == split)
        write_text(target.out / f"{split}.txt", "".join(chosen))
    return {split: splits.count(split) for split in ("train", "test")}


def camera_words(camera: Intrinsics) -> str:
    """How a line of the lists states a camera: `fx fy cx cy`, pixels, to a hundredth of a thousandth."""
    return " ".join(
        f"{round(value, 5):g}" if value == round(value) else str(round(value, 5))
        for value in (camera.fx, camera.fy, camera.cx, camera.cy)
    )


def _about(target: Target) -> dict[str, Any]:
    about = {"dataset": target.name, "from": str(target.source.resolve()), "every": target.every}
    return {**about, "options": dict(target.told)} if target.told else about


def _refuse_another(target: Target) -> None:
    path = target.out / ABOUT
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found != _about(target):
            options = "".join(f", {name} {value}" for name, value in found.get("options", {}).items())
            raise UsageError(
                f"{target.out} holds {found.get('dataset')} from {found.get('from')}, every {found.get('every')}"
                f"{options}; choose another folder"
            )
    elif any((target.out / f"{split}.txt").exists() for split in SPLITS):
        raise UsageError(f"{target.out} holds a dataset already; choose another folder")


def _claim(target: Target) -> None:
    make_folder(target.out)
    write_json(target.out / ABOUT, _about(target))
    link = target.out / LINK
    if not link.is_symlink():
        try:
            link.symlink_to(target.source.resolve(), target_is_directory=True)
        except OSError as error:
            raise OutputError(
                f"{link} cannot be made a link ({error.strerror}); choose a disk that takes links; on "
                "Windows switch on the developer mode"
            ) from None


def _line(target: Target, pair: Pair) -> str:
    folder = target.out / SCENES / pair.scene
    rgb = _picture(target, pair, folder / f"rgb_{pair.name}.jpg")
    depth = _depth(target, pair, folder / f"sync_depth_{pair.name}.png")
    names = [_listed(target, path) for path in (rgb, depth)]
    return f"{names[0]} {names[1]} {camera_words(pair.camera)}\n"


def _picture(target: Target, pair: Pair, path: Path) -> Path:
    if isinstance(pair.picture, Path):
        return _checked(target, pair.picture, pair.camera)
    if not path.exists():
        write_rgb(path, pair.picture())
    return path


def _depth(target: Target, pair: Pair, path: Path) -> Path:
    if isinstance(pair.depth, Path):
        return _checked(target, pair.depth, pair.camera)
    if not path.exists():
        write_depth(path, pair.depth(), target.scale)
    return path


def _checked(target: Target, path: Path, camera: Intrinsics) -> Path:
    try:
        size = read_size(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); download it again") from None
    if size != (camera.width, camera.height):
        found = "no picture or damaged" if size == (0, 0) else f"{size[0]}×{size[1]} pixels"
        raise DataError(f"{path} is {found}, where its camera has {camera.width}×{camera.height}; download it again")
    return path


def _listed(target: Target, path: Path) -> str:
    """As a line names it: below OUT, by the link where it lies in the dataset."""
    below = path.relative_to(target.out) if target.out in path.parents else LINK / path.relative_to(target.source)
    if len(below.as_posix().split()) != 1:
        raise DataError(f"{path} has a blank in its name, which lists part at; rename it")
    return below.as_posix()
