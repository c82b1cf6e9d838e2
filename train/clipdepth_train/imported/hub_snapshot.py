"""The files of a model of transformers on Hugging Face's hub, at one revision."""

from pathlib import Path

from clipdepth.bundle.hub_errors import hub_errors, import_hub
from clipdepth.bundle.hub_name import HubName, parse_hub_name
from clipdepth_train.imported.card import CARD
from clipdepth_train.imported.network import CONFIG
from clipdepth_train.imported.processor import PROCESSOR

FILES = (CONFIG, PROCESSOR, CARD, "*.safetensors", "*.safetensors.index.json")
"""What is fetched: no pickle and no code."""


def snapshot(named: str) -> tuple[Path, HubName]:
    """The folder with the files of 'hf:OWNER/NAME[@REVISION]', from the hub or its own cache, and its commit.

    The hub's own token is used, HF_HUB_OFFLINE is obeyed. Raises UsageError for a name that is none, DownloadError
    where the hub does not have it, does not let us in or cannot be reached, MissingExtraError without its package.
    """
    name = parse_hub_name(named)
    download = import_hub(named).snapshot_download
    with hub_errors(str(name)):
        folder = Path(download(name.repository, revision=name.revision, allow_patterns=list(FILES)))
    return folder, name.at(folder.name)
