"""The options of `clipdepth archive`."""

from collections.abc import Sequence
from dataclasses import dataclass

from clipdepth.cli.arguments import (
    BUNDLE_HELP,
    ArgumentParser,
    device_index,
    float_from_0,
    positive_float,
    positive_int,
)
from clipdepth.cli.camera_options import CameraOptions, add_camera_arguments
from clipdepth.cli.min_confidence import add_min_confidence
from clipdepth.cli.worker_options import CPUS, WorkerOptions, add_worker_arguments
from clipdepth.cluster.connection import LOCAL, Resources
from clipdepth.engines import AUTO, ENGINES, engines_for
from clipdepth.errors import UsageError, unknown_name

LEAST_STORE_GB = 0.1


@dataclass(frozen=True)
class ArchiveOptions(CameraOptions, WorkerOptions):
    """The arguments of `clipdepth archive`; its help says what each is."""

    bundle: str
    source: list[str]
    out: str
    format: str
    stride: int
    start: float
    end: float | None
    min_confidence: float | None
    engine: str
    device: int | None
    precision: str | None
    ray: str
    store: float

    @property
    def resources(self) -> Resources:
        """What the run may use of Ray."""
        # Ray hides GPUs that it does not give out, so that a GPU which was named is not Ray's to give.
        own = self.device is not None
        workers, gpus = (self.workers or 1, 0.0) if own else (self.workers, self.gpus)
        return Resources(self.ray, workers, self.cpus or CPUS, gpus, int(self.store * 1e9), sees_all_gpus=own)


def parse_options(argv: Sequence[str]) -> ArchiveOptions:
    """The command's options. Raises UsageError for those that make no sense together."""
    options = ArchiveOptions(**vars(parser().parse_args(argv)))
    if options.engine not in (AUTO, *ENGINES):
        raise unknown_name("engine", options.engine, (AUTO, *ENGINES))
    if options.device is not None and (options.gpus is not None or options.ray != LOCAL):
        raise UsageError(
            "--device is for this machine's own GPUs, and --gpus and --ray have Ray give them out; leave it out"
        )
    if options.engine not in (AUTO, *engines_for(options.device)):
        raise UsageError(f"--device {options.device}: engine '{options.engine}' is not for GPUs; leave one of them out")
    if options.store < LEAST_STORE_GB:
        raise UsageError(f"--store {options.store:g} is too small for Ray; give {LEAST_STORE_GB} or more")
    if options.end is not None and options.end <= options.start:
        raise UsageError(f"--end {options.end:g} is not after --start {options.start:g}; give seconds of the video")
    return options


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = ArgumentParser(
        "clipdepth archive",
        "Run a bundle over any number of videos and images, on this machine or on a Ray cluster.",
        "clipdepth archive edge-nyu 'films/*.mp4' --out depth",
    )
    add = parser.add_argument
    add("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    add(
        "source",
        nargs="+",
        metavar="SOURCE",
        help="a video, an image, a folder with some below it, a pattern such as 'films/*.mp4', or a URI of them "
        "(s3://…, gs://…, and what fsspec knows)",
    )
    add(
        "--out",
        required=True,
        metavar="DIR",
        help="the folder or URI of the depth and its index; a repeated command does only what is missing there",
    )
    add(
        "--format",
        choices=("mkv", "png"),
        default="mkv",
        help="what a video becomes: a lossless 16-bit video in millimetres, FFV1 in Matroska, or a folder of 16-bit "
        "PNGs (default: %(default)s)",
    )
    add("--stride", type=positive_int, default=1, metavar="N", help="take every N-th frame of a video (default: all)")
    add(
        "--start",
        type=float_from_0,
        default=0.0,
        metavar="SECONDS",
        help="of a video, begin so many seconds after its start",
    )
    add("--end", type=float_from_0, metavar="SECONDS", help="stop so many seconds after a video's start")
    add_camera_arguments(parser)
    add_min_confidence(parser)
    add(
        "--engine",
        default=AUTO,
        metavar="NAME",
        help=f"{AUTO}: the fastest on the first worker, or one of {', '.join(ENGINES)} (default: %(default)s)",
    )
    add("--device", type=device_index, metavar="N", help="which GPU of this machine all workers take (default: Ray's)")
    add("--precision", metavar="P", help="which of the bundle's graphs (default: auto's fastest, else the first)")
    add(
        "--ray",
        default=LOCAL,
        metavar="ADDRESS",
        help=f"{LOCAL}: on this machine; auto: the cluster that it belongs to; or a cluster's address "
        "(default: %(default)s)",
    )
    add_worker_arguments(
        parser, "how many infer (default: one for each GPU, else half of the cores: the rest decode and encode)"
    )
    add(
        "--store",
        type=positive_float,
        default=1.0,
        metavar="GB",
        help="how much of Ray's object store frames may take (default: %(default)g)",
    )
    return parser
