"""What huggingface_hub raises, as one of our errors in a line. No message of it ever holds a token."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import NoReturn

from clipdepth.errors import ClipdepthError, DownloadError, MissingExtraError
from clipdepth.files.foreign import shortened

LOG_IN = "log in with 'hf auth login' or set HF_TOKEN"
_BUSY = 429
_SERVER_FAULT = 500


def import_hub(what: str) -> ModuleType:
    """The module huggingface_hub, which only the hub's bundles need; raises MissingExtraError where it is missing."""
    try:
        import huggingface_hub
    except ModuleNotFoundError:
        raise MissingExtraError(what, "huggingface_hub", "hub") from None
    return huggingface_hub


@contextmanager
def hub_errors(what: str) -> Iterator[None]:
    """Turn what huggingface_hub raises in the block into a DownloadError in a line about `what`."""
    try:
        yield
    except ClipdepthError:
        raise
    except Exception as error:
        raise_as_ours(error, what)


def raise_as_ours(error: Exception, what: str) -> NoReturn:
    """Raise an error of huggingface_hub's as a DownloadError about `what`; any other error as it is."""
    told = _told(error)
    if told is None:
        raise error
    raise DownloadError(f"{what}: {told}") from None


def is_unreachable(error: BaseException) -> bool:
    """Whether the hub could not be asked: no network, HF_HUB_OFFLINE, or a hub that is down or too busy."""
    from huggingface_hub import errors

    cause = _cause(error)
    if isinstance(cause, errors.HfHubHTTPError):
        return cause.response.status_code == _BUSY or cause.response.status_code >= _SERVER_FAULT
    return isinstance(cause, (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, _transport_error()))


def without_login(url: str) -> str:
    """The URL without the name and password that may stand before its host."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _told(error: Exception) -> str | None:
    """What went wrong and what to do about it; None for an error that is not the hub's."""
    from huggingface_hub import constants, errors

    cause = _cause(error)
    # The order counts: some are subclasses of others.
    if isinstance(cause, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, and what the cache has is not enough; unset HF_HUB_OFFLINE"
    if isinstance(cause, errors.GatedRepoError):
        return f"it is gated; ask for access on its page on the hub, then {LOG_IN}"
    if isinstance(cause, errors.RepositoryNotFoundError):
        return f"the hub shows no such repository; check the name, and if it is private, {LOG_IN}"
    if isinstance(cause, errors.RevisionNotFoundError):
        return "the repository has no such revision; give a branch, a tag or a whole commit hash"
    if isinstance(cause, errors.EntryNotFoundError) and not isinstance(cause, errors.LocalEntryNotFoundError):
        return "the repository lacks a file of it; push the bundle again"
    if isinstance(cause, errors.HfHubHTTPError):
        return _status(cause.response.status_code, cause.server_message)
    if isinstance(cause, (errors.LocalEntryNotFoundError, _transport_error())):
        where = without_login(constants.ENDPOINT)
        return f"{where} cannot be reached ({type(cause).__name__}); check the network and HF_ENDPOINT, then try again"
    if isinstance(cause, errors.FileMetadataError):
        return "the hub's answer lacks a file's commit or size; check HF_ENDPOINT"
    if isinstance(cause, errors.HFValidationError):
        return "the hub takes no such name; give OWNER/NAME"
    return None


def _status(code: int, message: str | None) -> str:
    remedies = {
        401: f"the hub does not take the token, or there is none; {LOG_IN}",
        403: "the token does not allow it; give it the permission on the hub, or use another",
        412: "somebody else has changed the repository meanwhile; try again",
        _BUSY: "the hub wants fewer requests; wait a few minutes",
    }
    if code in remedies:
        return remedies[code]
    said = f" ({shortened(message)})" if message else ""
    return f"the hub answers with status {code}{said}; try again later"


def _cause(error: BaseException) -> BaseException:
    """An error of the hub's inside one that tells less: of an upload's threads, or of a file that was looked for."""
    from huggingface_hub import errors

    inner = error.__cause__
    tells_less = isinstance(error, (RuntimeError, errors.LocalEntryNotFoundError))
    known = (errors.HfHubHTTPError, errors.OfflineModeIsEnabled, errors.FileMetadataError, _transport_error())
    return inner if tells_less and isinstance(inner, known) else error


def _transport_error() -> type[BaseException]:
    """The base class of the errors of httpx or httpx2, whichever this version of huggingface_hub asks with."""
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError.__mro__[1]
