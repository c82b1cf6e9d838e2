"""A bundle into a repository on the hub, in one commit."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipdepth.bundle.hub import hub_api
from clipdepth.bundle.hub_errors import hub_errors, import_hub, without_login
from clipdepth.bundle.hub_name import HubName
from clipdepth.bundle.manifest import MANIFEST
from clipdepth.errors import UsageError

_OF_A_BUNDLE = (".onnx", ".npz", ".safetensors")
"""How the files end that an earlier bundle may have left: they go where the new one has none of that name."""
_HARMLESS = (".gitattributes", "README.md", "LICENSE")
"""What may lie in a repository that no bundle was pushed to."""


def page_of(at: HubName) -> str:
    """The URL of the repository's page."""
    return f"{without_login(hub_api().endpoint)}/{at.repository}"


def upload(files: Mapping[str, Path], at: HubName, message: str, private: bool) -> HubName:
    """Put files into the repository at `at`, made where it is not there; return it with the new commit.

    Files of an earlier bundle that has others go in the same commit. `private` makes a new repository private. Raises
    UsageError for one that is public then, or that holds anything but a bundle, and DownloadError as the hub refuses.
    """
    api = hub_api()
    if not sys.stderr.isatty():  # it looks whether there is a terminal when it downloads, and not when it uploads
        import_hub("clipdepth push").utils.disable_progress_bars()
    with hub_errors(f"push to {at.repository}"):
        api.create_repo(at.repository, private=private or None, exist_ok=True)
        found = api.model_info(at.repository)
        names = {file.rfilename for file in found.siblings or ()}
        _require_fit(at, names, public=private and found.private is False)
        operations = [*_additions(files), *_deletions(names - files.keys())]
        commit = api.create_commit(at.repository, operations, commit_message=message, parent_commit=found.sha)
    return at.at(str(commit.oid))


def _require_fit(at: HubName, names: set[str], public: bool) -> None:
    if public:
        raise UsageError(
            f"{at.repository} is there and public; make it private on its settings page, or leave --private out"
        )
    others = sorted(names - {*_HARMLESS})
    if others and MANIFEST not in names:
        raise UsageError(f"{at.repository} holds {others[0]} and no bundle; choose another name")


def _additions(files: Mapping[str, Path]) -> list[Any]:
    add = import_hub("clipdepth push").CommitOperationAdd
    return [add(path_in_repo=name, path_or_fileobj=path) for name, path in files.items()]


def _deletions(names: set[str]) -> list[Any]:
    delete = import_hub("clipdepth push").CommitOperationDelete
    return [delete(path_in_repo=name) for name in sorted(names) if name.endswith(_OF_A_BUNDLE) and "/" not in name]
