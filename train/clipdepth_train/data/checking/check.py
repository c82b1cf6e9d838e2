"""Look at a whole set: every file's presence and size, every camera, and the depth of pairs that are spread over it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipdepth.cli.progress import follow
from clipdepth.errors import DataError
from clipdepth_train.data.checking.cameras import check_camera
from clipdepth_train.data.checking.duplicates import find_duplicates
from clipdepth_train.data.checking.findings import Findings
from clipdepth_train.data.checking.focal import FocalFromPoses, StatedPicture, focal_from_poses
from clipdepth_train.data.checking.pairs import BadLine, NamedPair, named_pairs
from clipdepth_train.data.checking.registration import Registration, Shift
from clipdepth_train.data.checking.sheet import Shown
from clipdepth_train.data.checking.statistics import DepthStatistics
from clipdepth_train.data.folder import camera_matrix, read_depth, read_frame, read_size
from clipdepth_train.data.layout import SPLITS
from clipdepth_train.data.lists import is_possible
from clipdepth_train.data.sample import evenly_spread

SHOWN = 12
MOSTLY = 0.5
"""Of known depth, the share beyond the range at which a pair is a fault."""
PLAUSIBLE = (0.1, 150.0)
"""Metres within which the median depth of a set lies, if its scale is right."""
MISREGISTERED = 2.0
"""Pixels."""
ENOUGH = 20
"""Pairs with edges, from which the edges of a set should meet."""


@dataclass(frozen=True)
class Checked:
    """What is known of a set."""

    counts: dict[str, int]
    findings: Findings
    statistics: DepthStatistics
    shift: Shift | None
    focal: FocalFromPoses | None
    """None where too few pictures have poses."""
    shown: list[Shown]
    read: int
    """How many pairs were read whole."""


def check_set(folder: Path, scale: float, max_depth: float, most: int) -> Checked:
    """Check the set in `folder`, whose depth PNGs have `scale` units a metre; at most `most` pairs are read whole.

    Raises DataError where there is no set.
    """
    findings = Findings()
    lines = named_pairs(folder)
    for line in lines:
        if isinstance(line, BadLine):
            findings.add("line that is not 'rgb depth [focal | fx fy cx cy]'", line.where, "correct or delete it")
    pairs = [pair for pair in lines if isinstance(pair, NamedPair)]
    shared = _shared_camera(folder, pairs, findings)
    whole = [pair for pair in follow(pairs, "files") if _is_whole(pair, shared, findings)]
    find_duplicates(whole, findings)
    statistics, registration, shown = DepthStatistics(max_depth), Registration(), list[Shown]()
    chosen = [whole[index] for index in evenly_spread(len(whole), most)] if whole else []
    on_sheet = set(evenly_spread(len(chosen), SHOWN)) if chosen else set()
    for index, pair in enumerate(follow(chosen, "depth")):
        read = _read(pair, scale, findings)
        if read is None:
            continue
        frame, depth = read
        _check_depth(pair, depth, max_depth, findings)
        statistics.add(depth)
        registration.add(frame, depth)
        if index in on_sheet:
            shown.append(Shown(f"{pair.split}: {pair.rgb.parent.name}/{pair.rgb.name}", frame, depth))
    counts: dict[str, int] = {split: sum(pair.split == split for pair in pairs) for split in SPLITS}
    shift = registration.shift()
    _check_whole(folder, counts, statistics, shift, findings)
    focal = focal_from_poses(list(_stated(folder, whole, shared)), findings)
    _check_focal(folder, focal, findings)
    return Checked(counts, findings, statistics, shift, focal, shown, len(chosen))


def _shared_camera(folder: Path, pairs: Sequence[NamedPair], findings: Findings) -> tuple[float, ...]:
    """What K.txt states where the first line names no camera: fx, fy, cx and cy, pixels; nothing without it."""
    if not pairs or pairs[0].numbers:
        return ()
    path = folder / "K.txt"
    try:
        matrix = camera_matrix(folder)
    except DataError:
        findings.add("K.txt that is no 3×3 matrix", str(path), "write 'fx 0 cx', '0 fy cy' and '0 0 1' in three lines")
        return ()
    if matrix is None:
        remedy = "write it, or metres are those of a Kinect's focal length"
        findings.add("missing K.txt, and no camera in the lists", str(path), remedy, is_fault=False)
        return ()
    return matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]


def _stated(folder: Path, pairs: Sequence[NamedPair], shared: tuple[float, ...]) -> Iterator[StatedPicture]:
    """The pictures whose camera can be, as training takes it."""
    try:
        matrix = camera_matrix(folder)
    except DataError:  # told of by `_shared_camera`
        matrix = None
    centre = None if matrix is None else (float(matrix[0, 2]), float(matrix[1, 2]))
    for pair in pairs:
        numbers = pair.numbers or shared
        if numbers and is_possible(numbers):
            yield StatedPicture(pair.rgb, numbers, centre)


def _is_whole(pair: NamedPair, shared: tuple[float, ...], findings: Findings) -> bool:
    """Whether both files are there and are pictures of one size; their camera is looked at too."""
    sizes = []
    for path in (pair.rgb, pair.depth):
        try:
            size = read_size(path)
        except OSError:
            findings.add("missing file", f"{path} ({pair.where})", "restore it or delete the line")
            return False
        if size == (0, 0):
            findings.add(
                "file that is no picture, or damaged", f"{path} ({pair.where})", "restore it or delete the line"
            )
            return False
        sizes.append(size)
    if sizes[0] != sizes[1]:
        (width, height), (columns, rows) = sizes
        where = f"{pair.where} ({width}×{height} and {columns}×{rows})"
        findings.add("picture and depth of different sizes", where, "register depth to the picture")
        return False
    check_camera(pair.numbers or shared, (sizes[0][1], sizes[0][0]), pair.where, findings)
    return True


def _read(pair: NamedPair, scale: float, findings: Findings) -> tuple[NDArray[np.uint8], NDArray[np.float32]] | None:
    try:
        return read_frame(pair.rgb), read_depth(pair.depth, scale, np.inf)
    except DataError as error:
        findings.add("file that cannot be read", str(error), "restore it or delete the line")
        return None


def _check_depth(pair: NamedPair, depth: NDArray[np.float32], max_depth: float, findings: Findings) -> None:
    known = depth[depth > 0]
    if known.size == 0:
        findings.add("depth that is all unknown", str(pair.depth), "take the pair off the list")
    elif (known > max_depth).mean() > MOSTLY:
        remedy = "set --max-depth here and --frames.max-depth in training, or the scale"
        findings.add(f"depth mostly beyond {max_depth:g} m", str(pair.depth), remedy)


def _check_whole(
    folder: Path, counts: dict[str, int], statistics: DepthStatistics, shift: Shift | None, findings: Findings
) -> None:
    for split, count in counts.items():
        if count == 0:
            findings.add(f"no pair to {split}", str(folder), f"add a {split}.txt", is_fault=split == "train")
    median = statistics.quantile(0.5)
    if np.isfinite(median) and not PLAUSIBLE[0] <= median <= PLAUSIBLE[1]:
        findings.add("median depth that cannot be", f"{folder} ({median:.3g} m)", "give the scale with --depth-scale")
    if shift is not None and not shift.is_clear and shift.pairs >= ENOUGH:
        remedy = "look at the outlines on the sheet; depth of a camera beside the picture's has to be registered to it"
        findings.add("no shift that joins the edges of depth and picture", str(folder), remedy, is_fault=False)
    if shift is not None and shift.is_clear and np.hypot(shift.x, shift.y) > MISREGISTERED:
        where = f"{folder} ({shift.x:+.1f}, {shift.y:+.1f} pixels)"
        findings.add("pictures that lie beside their depth", where, "register depth to the picture")


def _check_focal(folder: Path, focal: FocalFromPoses | None, findings: Findings) -> None:
    if focal is not None and not focal.fits:
        remedy = "poses take from the camera to the world, in metres, x to the right, y down, z ahead"
        findings.add("poses that no focal length fits", str(folder), remedy, is_fault=False)
    if focal is not None and focal.contradicts:
        where = f"{folder} ({focal.factor:.2f} times what is stated fits)"
        remedy = "state the picture's own; 'clipdepth data prepare unregistered' brings a depth camera's depth to it"
        findings.add("focal length that the poses contradict", where, remedy)
