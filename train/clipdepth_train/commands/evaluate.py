"""`clipdepth evaluate RUN_OR_BUNDLE`: the paper's metrics of a trained run or of its bundle on a dataset."""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from clipdepth.bundle.answer import Answer
from clipdepth.bundle.box import find_folder
from clipdepth.bundle.kind import MEANINGS, METRIC
from clipdepth.bundle.metrics import Align, DepthMetrics, alignments, mean_metrics
from clipdepth.cli.json_report import console_beside, write_report
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.cli.progress import follow
from clipdepth.errors import UsageError
from clipdepth_train.candidate import Candidate, open_candidate
from clipdepth_train.commands.evaluate_options import parser
from clipdepth_train.commands.metrics_table import metrics_table
from clipdepth_train.commands.uncertainty_table import uncertainty_tables
from clipdepth_train.confidence.uncertainty import Stated, measure_uncertainty, sampled
from clipdepth_train.data.folder import FolderSet
from clipdepth_train.data.loader import open_set
from clipdepth_train.data.sample import RgbdSet
from clipdepth_train.evaluation import AnswerTo, Comparison, compare_answers, constant_median, frame_metrics
from clipdepth_train.named_data import is_unmeasured


def main(argv: Sequence[str]) -> int:
    """Run the command; see `clipdepth evaluate --help`."""
    arguments = parser().parse_args(argv)
    written = [arguments.json, arguments.frames_json]
    refuse_overwriting([find_folder(arguments.model), arguments.data], written)
    engine = (arguments.engine, arguments.precision, arguments.device)
    with open_candidate(arguments.model, arguments.mirror, *engine) as candidate:
        if arguments.max_depth:
            candidate = replace(candidate, frames=replace(candidate.frames, max_depth=arguments.max_depth))
        align = _align(candidate, arguments.align)
        data = arguments.data or candidate.data
        if not data:
            raise UsageError(f"{candidate.name} was not trained by clipdepth, so it names no data; give --data")
        if is_unmeasured(data):
            raise UsageError(f"{data} has no measured depth to compare with; give --data, a dataset that has")
        tests = open_set(data, arguments.split, candidate.frames)
        stated: list[Stated] | None = [] if arguments.uncertainty else None
        measured = _measured(candidate, data, tests, arguments, align, stated)
    means = {name: asdict(mean_metrics(list(frames.values()))) for name, frames in measured.items()}
    report = {
        "data": data,
        "split": arguments.split,
        "frames": len(measured[candidate.name]),
        "crop": arguments.crop,
        "max_depth": candidate.frames.max_depth,
        "align": align,
        "kind": candidate.kind,
        "picture": candidate.frames.picture,
        "engine": candidate.engine,
        "precision": candidate.precision,
        "mirrored": candidate.mirrored,
    }
    console = console_beside(*written)
    console.print(metrics_table(means, _caption(report, candidate)))
    if stated is not None:
        found = measure_uncertainty(stated)
        report["uncertainty"] = asdict(found)
        for table in uncertainty_tables(found):
            console.print(table)
    if arguments.json:
        write_report(arguments.json, {**report, "metrics": means})
    if arguments.frames_json:
        write_report(arguments.frames_json, {**report, "metrics": _by_picture(measured, tests)})
    return 0


def _align(candidate: Candidate, asked: Align | None) -> Align:
    """How depth is aligned; raises UsageError for what makes no metres of the candidate's answer."""
    possible = alignments(candidate.kind)
    if asked is not None and asked not in possible:
        raise UsageError(
            f"{candidate.name} answers {MEANINGS[candidate.kind]}, which --align {asked} cannot measure; "
            f"give --align {' or '.join(possible)}"
        )
    return asked or possible[0]


def _measured(
    candidate: Candidate,
    data: str,
    tests: RgbdSet,
    arguments: argparse.Namespace,
    align: Align,
    stated: list[Stated] | None,
) -> dict[str, dict[int, DepthMetrics]]:
    """The metrics of each frame, by the name of what predicted it and by the frame's index.

    `stated` gets the candidate's pixels with their confidence.
    """

    def compared(name: str, answer: AnswerTo) -> Iterator[Comparison]:
        indices = follow(range(len(tests)), f"evaluating {name}")
        return compare_answers(answer, tests, candidate.frames, arguments.crop, indices)

    found = compared(candidate.name, candidate.answer)
    if stated is not None:
        found = _noted(found, candidate, stated)
    measured = {candidate.name: frame_metrics(found, align, candidate.kind)}
    if arguments.baseline:
        median = constant_median(open_set(data, "train", candidate.frames))
        name = "constant median"
        measured[name] = frame_metrics(compared(name, lambda pair: Answer(median(pair))), align)
    return measured


def _noted(compared: Iterable[Comparison], candidate: Candidate, stated: list[Stated]) -> Iterator[Comparison]:
    for comparison in compared:
        if comparison.confidence is None or candidate.kind != METRIC:
            raise UsageError(
                f"{candidate.name} does not say how sure it is; fit that with 'clipdepth confidence RUN' and export it "
                "again, or leave out --uncertainty"
            )
        stated.append(sampled(comparison))
        yield comparison


def _caption(report: Mapping[str, Any], candidate: Candidate) -> str:
    aligned = {
        "none": "nothing aligned",
        "median": "each image scaled to its true median",
        "lsq": f"each image's scale and shift fitted to {_truth(candidate)} by least squares",
    }[report["align"]]
    frames = f"{report['data']} ({report['split']}), {report['frames']} frames"
    counted = f"crop: {report['crop']}, below {report['max_depth']:g} m"
    return f"{frames}, {counted}, {aligned}, {candidate}"


def _truth(candidate: Candidate) -> str:
    return "the inverse of its true depth" if candidate.kind == "disparity" else "its true depth"


def _by_picture(measured: Mapping[str, Mapping[int, DepthMetrics]], tests: RgbdSet) -> dict[str, list[dict[str, Any]]]:
    # Rendered frames have no file.
    paths = [str(path) for path in tests.pictures] if isinstance(tests, FolderSet) else [None] * len(tests)
    return {
        name: [{"index": index, "picture": paths[index], **asdict(metrics)} for index, metrics in frames.items()]
        for name, frames in measured.items()
    }
