"""The box: the models that ship with clipdepth, a bundle in a folder each, and how their names are understood."""

import logging
from functools import cache
from pathlib import Path

from clipdepth.bundle.hub_name import hub_name_of, is_hub_name, parse_hub_name
from clipdepth.bundle.manifest import MANIFEST

BOX = Path(__file__).parent
DEFAULT = "edge-nyu"
"""The model that is tried where no bundle is named."""
_LOG = logging.getLogger(__name__)


def model_names(box: Path = BOX) -> list[str]:
    """The names of the models in the box, sorted."""
    return sorted(manifest.parent.name for manifest in box.glob(f"*/{MANIFEST}"))


def find_folder(named: str | Path, box: Path = BOX) -> Path:
    """The folder that `named` means; whether it is there is not looked at.

    Text that is the name of a model in the box means that model, wherever the command is called: also where a folder
    of that name lies in the working directory, of which a warning tells. `./NAME`, `NAME/` and any other text are
    paths, and so is every Path. 'hf:OWNER/NAME[@REVISION]' means the repository's folder in the cache, in which a
    folder for each commit lies: `fetch_bundle` says which one. Raises UsageError for 'hf:' and anything else.
    """
    if is_hub_name(named):
        return parse_hub_name(str(named)).home
    if not isinstance(named, str) or named not in model_names(box):
        return Path(named)
    other = Path(named).absolute()
    if other.is_dir() and not other.samefile(box / named):
        _tell_of(other)
    return box / named


@cache
def _tell_of(other: Path) -> None:
    """Warn of a folder that is called like a model, once."""
    name = other.name
    _LOG.warning("%s is the model that ships with clipdepth, not the folder here; give ./%s for that", name, name)


def is_bare(named: str | Path) -> bool:
    """Whether `named` is text without a folder, as the name of a model is."""
    return isinstance(named, str) and Path(named).name == named


def list_models(box: Path = BOX) -> str:
    """Which names there are, for an error about one that is not among them."""
    names = model_names(box)
    return f"the models that ship are {', '.join(names)}" if names else "no model ships with this clipdepth"


def portable(folder: Path, box: Path = BOX) -> str:
    """What means this folder on every machine.

    Of a model in the box its name, of a bundle from the hub 'hf:OWNER/NAME@COMMIT', of others the absolute path.
    """
    on_hub = hub_name_of(folder)
    if on_hub:
        return str(on_hub)
    return folder.name if folder.parent == box else str(folder.absolute())
