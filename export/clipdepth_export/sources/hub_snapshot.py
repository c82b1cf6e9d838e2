"""The files of a repository on Hugging Face's hub, at one revision."""

import re
from pathlib import Path

from clipdepth.errors import ClipdepthError, MissingExtraError, UsageError, WeightsError

PREFIX = "hf:"
EXTRA = "transformers"
FILES = ("config.json", "preprocessor_config.json", "README.md", "*.safetensors", "*.safetensors.index.json")
"""What is fetched of a model: no pickle and no code."""
_NAME = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")


def snapshot(named: str) -> tuple[Path, str]:
    """The folder with the files of 'hf:OWNER/NAME[@REVISION]', fetched or from the cache, and its commit.

    The hub's own token is used, HF_HUB_OFFLINE is obeyed. Raises UsageError for a name that is none, or that the hub
    does not have; WeightsError where the hub cannot be reached or does not let us in.
    """
    found = _NAME.fullmatch(named.removeprefix(PREFIX))
    if found is None:
        raise UsageError(f"'{named}' names no repository; write {PREFIX}OWNER/NAME or {PREFIX}OWNER/NAME@REVISION")
    try:
        from huggingface_hub import snapshot_download
    except ModuleNotFoundError:
        raise MissingExtraError(named, "huggingface_hub", EXTRA) from None
    try:
        folder = Path(snapshot_download(found[1], revision=found[2], allow_patterns=list(FILES)))
    except (OSError, ValueError, RuntimeError) as error:
        raise _told(error, found[1], found[2]) from None
    return folder, folder.name


def _told(error: Exception, repository: str, revision: str | None) -> ClipdepthError:
    """What went wrong, in a line."""
    from huggingface_hub import constants, errors

    if isinstance(error, errors.GatedRepoError):
        return WeightsError(
            f"https://huggingface.co/{repository} lets in only those who accepted its terms; accept them there, then "
            "run 'hf auth login'"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        asked = revision or "main"
        return UsageError(f"{repository} has no revision '{asked}'; give a branch, a tag or a whole commit")
    if isinstance(error, errors.RepositoryNotFoundError):
        return UsageError(f"the hub has no model {repository}, or it is private; run 'hf auth login' if it is yours")
    if isinstance(error, errors.HFValidationError):
        return UsageError(f"'{repository}' is no name of a repository; write {PREFIX}OWNER/NAME")
    at = f"{repository}@{revision}" if revision else repository
    if isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled):
        if constants.HF_HUB_OFFLINE:
            return WeightsError(f"{at} is not in the cache, and HF_HUB_OFFLINE keeps off the network; unset it")
        return WeightsError(
            f"{at} is not in the cache, and the hub does not answer; connect to the network, or give a local folder"
        )
    if isinstance(error, errors.HfHubHTTPError) and error.response.status_code in (401, 403):
        return WeightsError(f"the hub does not let us have {at}; run 'hf auth login' with a token that may read it")
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return WeightsError(f"{at} cannot be fetched: {reason}; try again, or give a local folder")
