"""NYU Depth v2's raw sequences as BTS synchronised and listed them.

    FROM/[sync/]kitchen_0028b/rgb_00045.jpg, sync_depth_00045.png       millimetres
    LISTS/nyudepthv2_train_files_with_gt.txt                            `rgb depth focal`, 24,231 lines
    LISTS/nyudepthv2_test_files_with_gt.txt                             654 lines
    FROM/[official_splits/]test/bathroom/rgb_00045.jpg, …

J. H. Lee, M.-K. Han, D. W. Ko, I. H. Suh: From Big to Small, arXiv 1907.10326. Without the second list, whole scenes
of the first are held out.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from clipdepth.errors import DataError
from clipdepth_train.data.datasets.files import read_lines
from clipdepth_train.data.datasets.pair import Options, Pair
from clipdepth_train.data.nyu import KINECT
from clipdepth_train.data.sample import Split

TRAIN, TEST = "nyudepthv2_train_files_with_gt.txt", "nyudepthv2_test_files_with_gt.txt"
_PLACES = {"train": ("", "sync", "train"), "test": ("official_splits/test", "test", "")}


def read(source: Path, options: Options) -> Iterator[Pair]:
    """See `Read`."""
    lists = options.lists or source
    tested = (lists / TEST).is_file()
    yield from _listed(source, lists / TRAIN, "train", known=tested)
    if tested:
        yield from _listed(source, lists / TEST, "test", known=True)


def _listed(source: Path, file: Path, split: Split, known: bool) -> Iterator[Pair]:
    if not file.is_file():
        raise DataError(f"no {file}; take it from train_test_inputs of BTS, and say where with --lists")
    for line in read_lines(file):
        words = line.split()
        if len(words) < 2:
            raise DataError(f"'{line}' in {file} is not 'rgb depth focal'; download it again")
        if "None" in words[:2]:  # a picture without depth
            continue
        rgb, depth = (_found(source, word.lstrip("/"), split) for word in words[:2])
        scene = str(Path(words[0].lstrip("/")).parent)
        yield Pair(scene, rgb.stem, replace(KINECT), rgb, depth, split if known else None)


def _found(source: Path, name: str, split: Split) -> Path:
    places = [source / place / name for place in _PLACES[split]]
    return next((path for path in places if path.is_file()), places[0])
