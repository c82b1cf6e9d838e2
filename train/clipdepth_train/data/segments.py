"""A dataset's pictures as Segment Anything sees them, painted once and kept beside the dataset.

    DATA/segments/vit_b-0a1b2c3d/sam.json                        what they were made with
    DATA/segments/vit_b-0a1b2c3d/train/kitchen/rgb_00045.png     of DATA/train/kitchen/rgb_00045.jpg

The folder's name changes with whatever changes the paintings. Every file is written whole or not at all.
"""

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from clipdepth.cli.progress import LongProgress
from clipdepth.engines.sam.painting import COLOURING, paint
from clipdepth.errors import DataError
from clipdepth.files.atomic import atomic_file, write_json
from clipdepth_train.data.folder import FolderSet, read_frame
from clipdepth_train.data.sample import Split
from clipdepth_train.segmentation import SamConfig, Segmenter, weights_digest

LOG = logging.getLogger(__name__)
SEGMENTS = "segments"
SETTINGS = "sam.json"
# By default rich forgets what is half a minute old, and a picture can take longer than that on a CPU.
_SPEED_OVER_SECONDS = 600.0


def segments_name(config: SamConfig) -> str:
    """The cache's name: the variant and 8 digits of a hash over all that decides the paintings.

    Of the weights file that is the content and not the path. Raises WeightsError where it is missing.
    """
    return _name(_settings(config))


def segments_path(data: Path, name: str, rgb: Path) -> Path:
    """Where the painting of picture `rgb` of the dataset `data` lies; raises DataError for a picture outside it."""
    inside = Path(os.path.relpath(rgb, data))
    if inside.parts[0] == os.pardir:
        raise DataError(f"{rgb} lies outside {data}, which keeps the paintings of its own pictures; move it inside")
    return (data / SEGMENTS / name / inside).with_suffix(".png")


def read_segments(data: Path, name: str, rgb: Path) -> NDArray[np.uint8]:
    """Read the painting of picture `rgb`, (H, W, 3) uint8 as `paint` gave it.

    Raises DataError where it is missing or damaged.
    """
    path = segments_path(data, name, rgb)
    try:
        return read_frame(path)
    except DataError:
        found = "is damaged; delete it and" if path.exists() else "is missing;"
        settings = data / SEGMENTS / name / SETTINGS
        where = f" with the settings in {settings}" if settings.is_file() else ""
        raise DataError(f"{path} {found} run 'clipdepth data segment --data {data} …'{where}") from None


def segment_folder(data: Path, config: SamConfig, console: Console) -> tuple[str, int]:
    """Paint the pictures of the dataset's splits that are not painted yet; return the cache's name and all their count.

    It may be interrupted at any time, and the next call continues. Raises WeightsError where weights are missing or
    unfit, DataError as FolderSet does.
    """
    pictures = _pictures(data)
    settings = _settings(config)
    name = _name(settings)
    paths = {rgb: segments_path(data, name, rgb) for rgb in pictures}
    missing = {rgb: path for rgb, path in paths.items() if not path.is_file()}
    if missing:
        segmenter = Segmenter(config)
        write_json(data / SEGMENTS / name / SETTINGS, settings)
        if not _paint_missing(missing, len(paths), segmenter, console):
            LOG.warning(
                "SAM found no mask in %d pictures; lower --pred-iou-thresh or --stability-score-thresh", len(missing)
            )
    return name, len(paths)


def _paint_missing(missing: Mapping[Path, Path], total: int, segmenter: Segmenter, console: Console) -> int:
    """Paint each picture to its path; return how many masks there were in all."""
    masks_in_all = 0
    with LongProgress(console=console, speed_estimate_period=_SPEED_OVER_SECONDS) as progress:
        bar = progress.add_task("segmenting", total=total, completed=total - len(missing))
        for rgb, path in missing.items():
            masks = segmenter(read_frame(rgb))
            _write_png(path, paint(masks))
            masks_in_all += len(masks)
            progress.advance(bar)
    return masks_in_all


def _write_png(path: Path, painted: NDArray[np.uint8]) -> None:
    _, png = cv2.imencode(".png", painted)
    with atomic_file(path) as partial:
        partial.write_bytes(png.tobytes())


def _pictures(data: Path) -> list[Path]:
    """The pictures of both splits, or of the one there is; scale and range of depth do not matter here."""
    if not data.is_dir():
        raise DataError(f"no dataset at {data}; give a folder that 'clipdepth data prepare' or 'render' wrote")
    splits: tuple[Split, ...] = get_args(Split)
    there = [split for split in splits if _has(data, split)] or splits[:1]
    sets = [FolderSet(data, split, scale=1000.0, max_depth=10.0) for split in there]
    return [rgb for pairs in sets for rgb in pairs.pictures]


def _has(data: Path, split: Split) -> bool:
    """Rooms rendered without test frames leave an empty list."""
    listed = data / f"{split}.txt"
    return bool(listed.read_text(encoding="utf-8").strip()) if listed.is_file() else (data / split).is_dir()


def _settings(config: SamConfig) -> dict[str, Any]:
    return {**asdict(config), "weights": weights_digest(config), "colouring": COLOURING}


def _name(settings: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    return f"{settings['variant']}-{digest[:8]}"
