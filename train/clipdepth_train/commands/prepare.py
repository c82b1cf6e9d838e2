"""`clipdepth data prepare`: other people's datasets, in the folder layout that training reads."""

import argparse
import dataclasses
from pathlib import Path

from clipdepth.camera.camera import Camera
from clipdepth.cli.camera_options import CameraOptions
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth_train.data import nyu_files
from clipdepth_train.data.datasets.pair import Options
from clipdepth_train.data.datasets.table import DATASETS, prepare
from clipdepth_train.data.download import download
from clipdepth_train.data.nyu import prepare_nyu as write_nyu


def prepare_nyu(arguments: argparse.Namespace) -> str:
    """Use the files that are given, or those in the download folder, downloaded if they are not there."""
    refuse_overwriting([arguments.labeled, arguments.splits], [arguments.out])
    folder: Path = arguments.download_to or arguments.out / "download"
    splits = arguments.splits or _fetch(nyu_files.SPLITS_MAT, folder)
    labeled = arguments.labeled or _fetch(nyu_files.LABELED, folder)
    frames = write_nyu(labeled, splits, arguments.out)
    return told(arguments.out, *([files.split for files in frames].count(split) for split in ("train", "test")))


def told(out: Path, train: int, test: int) -> str:
    """What is said of a dataset that is ready."""
    return f"{out}: {train} frames to train, {test} to test"


def prepare_other(arguments: argparse.Namespace) -> str:
    """Convert a dataset of the table."""
    name: str = arguments.dataset
    refuse_overwriting([arguments.source], [arguments.out])
    fields = [field for field in DATASETS[name].options if field != "camera"]
    given = {field: getattr(arguments, field) for field in fields if getattr(arguments, field) is not None}
    camera = _camera(arguments) if "camera" in DATASETS[name].options else None
    options = Options(camera=camera, **given)
    counts = prepare(name, arguments.source, arguments.out, options, arguments.every)
    return told(arguments.out, counts["train"], counts["test"])


def _camera(arguments: argparse.Namespace) -> Camera:
    names = (field.name for field in dataclasses.fields(CameraOptions))
    return CameraOptions(**{name: getattr(arguments, name) for name in names}).camera


def _fetch(remote: nyu_files.RemoteFile, folder: Path) -> Path:
    return download(remote.url, folder / remote.name, remote.md5)
