"""Every error raised on purpose. A message is one line: what was found, where, and what to do."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class ClipdepthError(Exception):
    """Root of all errors raised on purpose; the command line prints it without a traceback."""

    exit_status = 1


class UsageError(ClipdepthError, ValueError):
    """The command or the arguments make no sense, whatever the data."""

    exit_status = 2


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a `name` that is none of those that are known, with the one that may be meant."""
    names = list(known)
    near = get_close_matches(name, names, 1)
    meant = f"did you mean '{near[0]}'? There are" if near else "choose one of"
    return UsageError(f"unknown {kind} '{name}'; {meant} {', '.join(names)}")


class MissingExtraError(ClipdepthError, ImportError):
    """A package that an optional part needs is not installed."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f"{what} needs {package}, which is not installed; run pip install 'clipdepth[{extra}]'")


@contextmanager
def needs_extra(what: str, extra: str, package: str | None = None) -> Iterator[None]:
    """Raise MissingExtraError, which names `package`, where an import within fails for a package that is not ours."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("clipdepth"):
            raise
        raise MissingExtraError(what, package or str(error.name), extra) from error


class MissingLibraryError(ClipdepthError, ImportError):
    """A library that pip cannot bring is not installed on this system."""


class DataError(ClipdepthError, ValueError):
    """A dataset is missing, unpaired, unreadable or out of range."""


class CheckpointError(ClipdepthError, ValueError):
    """A training run or its checkpoint is missing, damaged or of another model."""


class WeightsError(ClipdepthError, OSError):
    """Pretrained weights could not be loaded."""


class BundleError(ClipdepthError, ValueError):
    """A bundle is missing, damaged, tampered with or of an unsupported schema."""


class NotMetricError(ClipdepthError, ValueError):
    """Metres were asked for where depth is known up to an unknown scale and shift only."""

    exit_status = 2


class UnknownCameraError(ClipdepthError, ValueError):
    """A focal length is needed that nobody told."""

    exit_status = 2


class EngineError(ClipdepthError, RuntimeError):
    """An engine could not be loaded, or did not land on the device that was asked for."""


class MissingDeviceError(EngineError):
    """An engine's device is not here, or its library was built without it."""


class VerificationError(ClipdepthError, RuntimeError):
    """A graph's depth does not agree with PyTorch's within the tolerance."""


class SourceError(ClipdepthError, OSError):
    """A camera, video or folder of images cannot be read."""


class OutputError(ClipdepthError, OSError):
    """A result cannot be written."""


class DownloadError(ClipdepthError, OSError):
    """A download failed or its checksum is wrong."""
