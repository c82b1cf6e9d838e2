"""Names of bundles on a hub, `hf:OWNER/NAME[@REVISION]`, and where they lie in the user's cache."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from clipdepth.bundle.cache import cache_folder
from clipdepth.errors import UsageError
from clipdepth.files.foreign import shortened

PREFIX = "hf:"
DEFAULT_REVISION = "main"
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_REPOSITORY = re.compile(rf"({_PART})/({_PART})\Z", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}\Z", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")


@dataclass(frozen=True)
class HubName:
    """A repository on the hub and a revision of it: a branch, a tag or a commit."""

    owner: str
    name: str
    revision: str = DEFAULT_REVISION

    def __str__(self) -> str:
        return f"{PREFIX}{self.repository}@{self.revision}"

    @property
    def repository(self) -> str:
        """OWNER/NAME, as the hub calls it."""
        return f"{self.owner}/{self.name}"

    @property
    def is_commit(self) -> bool:
        """Whether the revision is a whole commit hash, which always means the same files."""
        return bool(_COMMIT.match(self.revision))

    @property
    def home(self) -> Path:
        """The repository's folder in the cache; it need not exist."""
        return _cache() / f"{self.owner}--{self.name}"

    @property
    def folder(self) -> Path:
        """The bundle's folder in the cache, of a revision that is a commit."""
        return self.home / self.revision

    @property
    def reference(self) -> Path:
        """The file in the cache that holds the commit which the revision last meant."""
        return self.home / "refs" / quote(self.revision, safe="")

    def at(self, commit: str) -> "HubName":
        """The same repository at a commit."""
        return replace(self, revision=commit)


def is_hub_name(named: str | Path) -> bool:
    """Whether `named` is text that means a bundle on the hub; a folder of such a name is './hf:…'."""
    return isinstance(named, str) and named.startswith(PREFIX)


def parse_hub_name(text: str) -> HubName:
    """Read 'hf:OWNER/NAME[@REVISION]'; raises UsageError for anything else."""
    repository, at, revision = text.removeprefix(PREFIX).partition("@")
    found = parse_repository(repository) if text.startswith(PREFIX) else None
    if not found or (at and (not _REVISION.match(revision) or ".." in revision)):
        raise UsageError(
            f"'{shortened(text)}' names nothing on the hub; give {PREFIX}OWNER/NAME or {PREFIX}OWNER/NAME@REVISION, "
            "where REVISION is a branch, a tag or a whole commit hash"
        )
    return found.at(revision) if at else found


def parse_repository(text: str) -> HubName | None:
    """Read 'OWNER/NAME'; None for anything else. As on the hub, neither part has '--' or '..' in it."""
    found = _REPOSITORY.match(text)
    return HubName(found[1], found[2]) if found and "--" not in text and ".." not in text else None


def hub_name_of(folder: Path) -> HubName | None:
    """What a bundle's folder in the cache is called on the hub, with its commit; None for any other folder."""
    owner, _, name = folder.parent.name.partition("--")
    found = parse_repository(f"{owner}/{name}")
    pinned = found.at(folder.name) if found else None
    return pinned if pinned and pinned.is_commit and folder == pinned.folder else None


def _cache() -> Path:
    return cache_folder() / "hub"
