"""A depth model that the package transformers can load, as the source of an export."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from clipdepth.bundle.kind import DepthKind
from clipdepth.bundle.manifest import InputSize, Licence
from clipdepth.errors import MissingExtraError, UsageError
from clipdepth.files.foreign import shortened
from clipdepth_export.framed import Framed
from clipdepth_export.source import ExportSource
from clipdepth_export.sources.asked import Asked, imported_source
from clipdepth_export.sources.card import card_licence
from clipdepth_export.sources.families import Family, family_of
from clipdepth_export.sources.hub_snapshot import EXTRA, PREFIX, snapshot
from clipdepth_export.sources.network import CONFIG, load_network, quiet, read_config, settle_missing
from clipdepth_export.sources.processor import read_processor
from clipdepth_export.sources.sizes import input_size

__all__ = ["PREFIX", "is_transformers", "transformers_source"]


def is_transformers(folder: Path) -> bool:
    """Whether a folder holds a model as `save_pretrained` writes it."""
    return (folder / CONFIG).is_file()


def transformers_source(named: str, asked: Asked) -> ExportSource:
    """The model of 'hf:OWNER/NAME[@REVISION]', or of a folder.

    No code and no pickle of the model's is read. Raises UsageError for what is no depth model, or one that is not
    known here, and for what neither the model nor `asked` tells; WeightsError for weights that cannot be had or do not
    fit; MissingExtraError without transformers.
    """
    _require_transformers(named)
    folder, name, origin = _fetched(named)
    with quiet():
        config = read_config(folder, named)
        family = family_of(config, named)
        asked = replace(asked, kind=_kind(asked, family, named))
        prepared = read_processor(folder, named, family.may_pad)
        size = input_size(asked.size, family, prepared, named)
        depth = asked.metric_range(family.max_depth)
        network, missing = load_network(folder, named, config)
        module = Framed(network, family.answer, prepared.mean, prepared.std, depth, family.resizing)
        module.requires_grad_(False).eval()
        settle_missing(network, missing, lambda: _answer(module, size, named), named)
        _answer(module, size, named)
        licence = card_licence(folder)
        licences = [Licence(name, licence)] if licence else None
        return imported_source(module, name, origin, asked, size, depth, None, licences, family.finds_focal)


def _require_transformers(named: str) -> None:
    try:
        import transformers  # noqa: F401
    except ModuleNotFoundError:
        raise MissingExtraError(f"the export of {named}", "transformers", EXTRA) from None


def _fetched(named: str) -> tuple[Path, str, str]:
    """The folder, the name and the origin of a model."""
    if not named.startswith(PREFIX):
        name = Path(named).resolve().name
        return Path(named), name, name
    folder, commit = snapshot(named)
    repository = named.removeprefix(PREFIX).partition("@")[0]
    return folder, repository.rpartition("/")[2], f"{PREFIX}{repository}@{commit}"


def _kind(asked: Asked, family: Family, named: str) -> DepthKind:
    """What the model answers, by its config or else by what was asked."""
    if family.kind is None and asked.kind is None:
        raise UsageError(f"the config of {named} does not say what it answers; give --kind metric, or disparity")
    if family.kind and asked.kind and family.kind != asked.kind and family.kind_is_sure:
        raise UsageError(f"{named} answers {family.kind} depth by its config, not {asked.kind}; leave out --kind")
    kind = asked.kind or family.kind
    assert kind
    return kind


def _answer(module: Framed, size: InputSize, named: str) -> Tensor:
    """What the module gives for a black frame; raises UsageError where the network does not take its size."""
    try:
        with torch.no_grad():
            answer: Tensor = module(torch.zeros((1, size.height, size.width, 3), dtype=torch.uint8))
    except Exception as error:  # of a network that anybody may have configured
        reason = shortened(" ".join(str(error).split()))
        raise UsageError(
            f"{named} does not take frames of {size.height}x{size.width}: {reason}; give another --size"
        ) from None
    return answer
