"""The `clipdepth` command: one table of subcommands, each imported only when it is called."""

import errno
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import clipdepth
from clipdepth.cli.interruption import exit_status
from clipdepth.cli.logs import log_failure, set_up_logging
from clipdepth.errors import ClipdepthError, MissingExtraError, unknown_name

if TYPE_CHECKING:
    from clipdepth.cli.arguments import ArgumentParser


@dataclass(frozen=True)
class Command:
    """Where a subcommand's `main` lives, the extra it needs, what it does in a line, and where its `parser` lives.

    The parser is what help and completion read: it imports nothing that an extra brings. It lives in `module` where no
    other is named.
    """

    module: str
    extra: str | None
    summary: str
    options: str = ""

    def parser(self) -> "ArgumentParser":
        """The parser of its options."""
        parser: ArgumentParser = import_module(self.options or self.module).parser()
        return parser


_TRAIN, _EXPORT = "clipdepth_train.commands", "clipdepth_export"
COMMANDS = {
    "demo": Command("clipdepth.cli.demo", None, "train, export, stream and bench a small model"),
    "data": Command(
        f"{_TRAIN}.data", "train", "prepare NYU Depth v2, render rooms, segment, label", f"{_TRAIN}.data_options"
    ),
    "train": Command(f"{_TRAIN}.train", "train", "fit a depth model on RGB-D frames", f"{_TRAIN}.train_options"),
    "confidence": Command(
        f"{_TRAIN}.confidence", "train", "teach a run to say how sure it is", f"{_TRAIN}.confidence_options"
    ),
    "evaluate": Command(
        f"{_TRAIN}.evaluate", "train", "measure a run or a bundle on a dataset", f"{_TRAIN}.evaluate_options"
    ),
    "reproduce": Command(
        f"{_TRAIN}.reproduce", "train", "measure the paper's tables again", f"{_TRAIN}.reproduce_options"
    ),
    "export": Command(
        f"{_EXPORT}.command", "cpu,export", "turn a trained run into a verified bundle", f"{_EXPORT}.options"
    ),
    "export-sam": Command(
        f"{_EXPORT}.sam.command", "cpu,export", "turn Segment Anything into verified graphs", f"{_EXPORT}.sam.options"
    ),
    "build": Command("clipdepth.cli.build", "tensorrt", "build TensorRT engines of a bundle on this device"),
    "verify": Command("clipdepth.cli.verify", None, "check a bundle's depth against PyTorch's"),
    "run": Command("clipdepth.cli.run", None, "stream frames through a bundle", "clipdepth.cli.run_options"),
    "serve": Command(
        "clipdepth.cli.serve", "viewer", "answer pictures with their depth, over HTTP", "clipdepth.cli.serve_options"
    ),
    "triton": Command("clipdepth.cli.triton", None, "write a bundle as a model repository for Triton"),
    "archive": Command(
        "clipdepth.cli.archive", "cluster", "depth of many videos and images, on Ray", "clipdepth.cli.archive_options"
    ),
    "calibrate": Command("clipdepth.cli.calibrate", None, "fit depth to measured points, a lens to a checkerboard"),
    "cameras": Command("clipdepth.cli.cameras", None, "list the cameras that are here, with their modes"),
    "models": Command("clipdepth.cli.models", None, "list the models that ship with clipdepth"),
    "push": Command("clipdepth.cli.push", None, "put a bundle on the hub, with a model card"),
    "doctor": Command("clipdepth.cli.doctor", None, "try every engine and say what it lacks"),
    "bench": Command("clipdepth_bench.command", None, "time a bundle's engines against PyTorch"),
    "bench compare": Command("clipdepth_bench.compare.command", None, "say what changed between two reports"),
    "bench pareto": Command("clipdepth_bench.pareto.command", None, "set accuracy against latency of bundles"),
    "bench scaling": Command("clipdepth_bench.scaling.command", None, "time sizes, batches, threads and cameras"),
    "completion": Command("clipdepth.cli.completion", None, "print what completes this command in a shell"),
}

OUR_PACKAGES = ("clipdepth", "clipdepth_train", "clipdepth_export", "clipdepth_bench")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; return 0, 1 for a failure, 2 for misuse, 130 after Ctrl-C or 143 after SIGTERM."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _quiet_opencv()
    _share_cores()
    try:
        set_up_logging()
        return _dispatch(arguments)
    except ClipdepthError as error:
        return _fail(str(error), error.exit_status)
    except KeyboardInterrupt as interruption:
        return _fail("interrupted", exit_status(interruption))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno not in _REMEDIES:
            raise
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror}; {_REMEDIES[error.errno]}", 1)


_REMEDIES = {
    errno.ENOSPC: "free some space or choose another place",
    errno.EDQUOT: "free some space or choose another place",
    errno.EFBIG: "choose a place that takes larger files",
    errno.EROFS: "choose another place",
    errno.EPERM: "choose another place",
    errno.EACCES: "change its permissions or choose another place",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def _quiet_opencv() -> None:
    """Keep OpenCV and FFmpeg from writing to stderr by themselves: what went wrong is an error of ours."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")


def _share_cores() -> None:
    """Let PyTorch's OpenMP threads wait awake for microseconds and then sleep.

    By default they stay awake for milliseconds, and where anything else wants a core, a data loader say, the thread
    that works waits for those that wait: on two cores training slows down tenfold. To sleep at once halves its speed.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def _dispatch(arguments: list[str]) -> int:
    match arguments:
        case [] | ["-h" | "--help"] | ["help"]:
            _say(_help())
            return 0 if arguments else 2
        case ["-V" | "--version", *_]:
            _say(f"clipdepth {clipdepth.__version__}")
            return 0
        case ["help", *words]:
            return _dispatch([*words, "--help"])
    name, rest = _named(arguments)
    # Without what the command itself imports.
    if rest in (["-h"], ["--help"]):
        COMMANDS[name].parser().print_help()
        return 0
    if {"-h", "--help"} & set(rest):
        COMMANDS[name].parser().parse_known_args(rest)  # of an action of the command; prints and exits
    return _load(name)(rest)


def _named(arguments: list[str]) -> tuple[str, list[str]]:
    """The subcommand that is called, of one word or two, and its arguments. Raises UsageError for one there is not."""
    for words in (2, 1):
        name = " ".join(arguments[:words])
        if name in COMMANDS:
            return name, arguments[words:]
    raise unknown_name("command", name, COMMANDS)


def _load(name: str) -> Callable[[Sequence[str]], int]:
    command = COMMANDS[name]
    try:
        run: Callable[[Sequence[str]], int] = import_module(command.module).main
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if command.extra is None or missing in OUR_PACKAGES:
            raise
        raise MissingExtraError(f"clipdepth {name}", missing, command.extra) from None
    return run


def _help() -> str:
    rows = "\n".join(f"  {name:<15}{command.summary}" for name, command in COMMANDS.items())
    return (
        f"usage: clipdepth COMMAND …\n\n{rows}\n\n'clipdepth help COMMAND' tells more of each.\n\n"
        "example: clipdepth run edge-nyu --source 0 --show"
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _fail(message: str, status: int) -> int:
    log_failure(" ".join(message.split()))
    return status
