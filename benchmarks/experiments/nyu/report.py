"""What one or two models get right and wrong on NYU Depth v2's test frames: two pictures and tables.

    python benchmarks/experiments/nyu/report.py runs/msa edge.bundle --title MSA --title edge --data nyu --out report

Writes `nyu.jpg`, eight test frames evenly spread, `worst.jpg`, the eight of largest rel by the last model, and
`errors.md`, the errors by scene type and by true distance. Each model is a run or a bundle, measured by
`clipdepth evaluate`'s code. DATA/scene_types.txt has a scene type a line, by the index in a frame's name.
"""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from breakdown import Errors, distance_table, scene_table
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from sheet import Row, draw_sheet, log_colours, save_jpeg

from clipdepth.cli.arguments import ArgumentParser, positive_int
from clipdepth.errors import ClipdepthError, DataError, UsageError
from clipdepth.files.atomic import write_text
from clipdepth.sinks.picture_grid import depth_span
from clipdepth_train.candidate import Candidate, open_candidate
from clipdepth_train.data.crop import PAPER_TEST
from clipdepth_train.data.folder import FolderSet
from clipdepth_train.data.loader import open_set
from clipdepth_train.data.sample import RgbdSet, evenly_spread
from clipdepth_train.evaluation import Crop, compare

NOTE = """Frames: means over frames; `aligned`: each image scaled to its true median first, else nothing is aligned.
Distances: means over pixels; the log error is ln(predicted / true): below 0 is too near, above 0 too far.
"""


@dataclass(frozen=True)
class Model:
    """A model with the frames as it sees them, and what was measured of it."""

    candidate: Candidate
    tests: RgbdSet
    errors: Errors


def main(argv: Sequence[str]) -> None:
    """Measure, then write pictures and tables."""
    options = _parser().parse_args(argv)
    titles = options.title or [Path(named).name for named in options.models]
    if len(titles) != len(options.models):
        raise UsageError(f"{len(options.models)} models and {len(titles)} titles; give --title once for each, or none")
    with ExitStack() as stack:
        candidates = [stack.enter_context(open_candidate(path)) for path in options.models]
        whole = open_set(options.data, "test", replace(candidates[0].frames, picture="whole", segments=""))
        if not isinstance(whole, FolderSet):
            raise UsageError(f"{options.data} has no files; give a folder of NYU's frames")
        scenes = read_scenes(options.scene_types or Path(options.data) / "scene_types.txt", whole.pictures)
        models = [_measured(candidate, title, options) for candidate, title in zip(candidates, titles, strict=True)]
        spread = evenly_spread(len(whole), options.frames)
        for name, indices in (("nyu", spread), ("worst", models[-1].errors.worst(options.frames))):
            save_jpeg(options.out / f"{name}.jpg", _sheet(whole, indices, models, scenes, options.crop))
    write_text(options.out / "errors.md", errors_page(models, scenes, options.crop))


def read_scenes(path: Path, pictures: Sequence[Path]) -> dict[int, str]:
    """The scene type of each picture, by its place in `pictures`; raises DataError where there is none."""
    if not path.is_file():
        raise DataError(f"no {path}; write a scene type a line, for each frame of the labelled set from 0 on")
    types = path.read_text(encoding="utf-8").split()
    scenes = {}
    for place, picture in enumerate(pictures):
        number = re.fullmatch(r"rgb_(\d+)", picture.stem)
        if number is None or int(number[1]) >= len(types):
            raise DataError(f"{picture} has no line of {path} ({len(types)} lines); its name has to be rgb_INDEX")
        scenes[place] = types[int(number[1])]
    return scenes


def errors_page(models: Sequence[Model], scenes: Mapping[int, str], crop: str) -> str:
    """The tables, in Markdown."""
    measured = [model.errors for model in models]
    passes = "".join(f"{model.errors.title}: {model.candidate}.\n" for model in models)
    head = f"{len(measured[0].plain)} test frames, crop: {crop}.\n{passes}{NOTE}"
    distances = [f"By true distance, {errors.title}:\n\n{distance_table(errors)}" for errors in measured]
    return "\n".join([head, f"By scene type:\n\n{scene_table(measured, scenes)}", *distances])


def _measured(candidate: Candidate, title: str, options: argparse.Namespace) -> Model:
    tests = open_set(options.data, "test", candidate.frames)
    indices = track(range(len(tests)), f"measuring {title}", console=Console(stderr=True))
    errors = Errors(title)
    for comparison in compare(candidate.predict, tests, candidate.frames, options.crop, indices):
        errors.add(comparison)
    return Model(candidate, tests, errors)


def _sheet(
    whole: FolderSet, indices: Sequence[int], models: Sequence[Model], scenes: Mapping[int, str], crop: Crop
) -> NDArray[np.uint8]:
    pairs = [whole[index] for index in indices]
    span = depth_span([pair.depth for pair in pairs])
    rows = [
        Row("image", [pair.frame for pair in pairs], [scenes[index].replace("_", " ") for index in indices]),
        Row("true depth", [log_colours(pair.depth, span) for pair in pairs], [""] * len(pairs)),
    ]
    for model in models:
        compared = compare(model.candidate.predict, model.tests, model.candidate.frames, crop, indices)
        depths = [log_colours(in_place(each.prediction, whole.picture_size), span) for each in compared]
        known = model.errors.plain
        rows.append(Row(model.errors.title, depths, [f"rel {known[i].rel:.2f}" if i in known else "" for i in indices]))
    return draw_sheet(rows, span)


def in_place(depth: NDArray[np.float32], picture_size: tuple[int, int]) -> NDArray[np.float32]:
    """Depth where it lies in the whole picture, 0 around it, for a model that sees the paper's crop alone."""
    if depth.shape == picture_size:
        return depth
    placed = np.zeros(picture_size, np.float32)
    placed[PAPER_TEST.mask(*picture_size)] = depth.ravel()
    return placed


def _parser() -> ArgumentParser:
    parser = ArgumentParser("report.py", "Pictures and tables of a model's errors on NYU Depth v2.")
    add = parser.add_argument
    add("models", nargs="+", metavar="RUN_OR_BUNDLE")
    add("--title", action="append", help="what to call a model, once for each in their order (default: its folder)")
    add("--data", required=True, metavar="FOLDER", help="NYU's frames, as 'clipdepth data prepare nyu' writes them")
    add("--scene-types", type=Path, metavar="FILE", help="scene types (default: FOLDER/scene_types.txt)")
    add("--crop", choices=("all", "eigen", "paper"), default="eigen", help="pixels that count (default: %(default)s)")
    add("--frames", type=positive_int, default=8, help="frames in a picture (default: %(default)s)")
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the pictures and tables")
    return parser


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ClipdepthError as error:
        raise SystemExit(f"report.py: error: {error}") from None
