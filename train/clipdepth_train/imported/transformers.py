"""A depth model that the package transformers can load."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipdepth.bundle.hub_name import is_hub_name
from clipdepth.bundle.kind import DepthKind
from clipdepth.bundle.manifest import DepthRange, InputSize, Licence
from clipdepth.errors import MissingExtraError, UsageError
from clipdepth.files.foreign import shortened
from clipdepth_train.imported.card import card_licence
from clipdepth_train.imported.families import Family, family_of
from clipdepth_train.imported.framed import Framed
from clipdepth_train.imported.hub_snapshot import snapshot
from clipdepth_train.imported.network import CONFIG, load_network, quiet, read_config, settle_missing
from clipdepth_train.imported.processor import Preparation, read_processor
from clipdepth_train.imported.sizes import input_size
from clipdepth_train.imported.told import Told

EXTRA = "transformers"


def is_transformers(folder: Path) -> bool:
    """Whether a folder holds a model as `save_pretrained` writes it."""
    return (folder / CONFIG).is_file()


@dataclass(frozen=True)
class TransformersModel:
    """What a model's config, processor and card say of it, and what was told besides; `load` reads the weights."""

    named: str
    """As the user named it."""
    folder: Path
    name: str
    """Of the repository or the folder, without the path."""
    origin: str
    """'hf:OWNER/NAME@COMMIT', or the name of a local folder."""
    kind: DepthKind
    size: InputSize
    depth: DepthRange | None
    """Metres that it answers; None where its answer is not metric."""
    licences: tuple[Licence, ...]
    """Empty where nobody says."""
    family: Family
    _config: Any
    _prepared: Preparation

    def load(self) -> Framed:
        """The network behind the frame contract, float32 on the CPU; no code and no pickle of the model's is read.

        Raises WeightsError for weights that cannot be read or do not fit, UsageError for a size that the network does
        not take.
        """
        family, prepared = self.family, self._prepared
        with quiet():
            network, missing = load_network(self.folder, self.named, self._config)
            module = Framed(network, family.answer, prepared.mean, prepared.std, self.depth, family.resizing)
            module.requires_grad_(False).eval()
            settle_missing(network, missing, lambda: self._answer(module), self.named)
            self._answer(module)
        return module

    def _answer(self, module: Framed) -> Tensor:
        """What the module gives for a black frame."""
        try:
            with torch.no_grad():
                answer: Tensor = module(torch.zeros((1, self.size.height, self.size.width, 3), dtype=torch.uint8))
        except Exception as error:  # of a network that anybody may have configured
            reason = shortened(" ".join(str(error).split()))
            size = f"{self.size.height}x{self.size.width}"
            raise UsageError(f"{self.named} does not take frames of {size}: {reason}; give another --size") from None
        return answer


def read_model(named: str, told: Told) -> TransformersModel:
    """The model of 'hf:OWNER/NAME[@REVISION]', or of a folder, without its weights.

    Raises UsageError for what is no depth model, or one that is not known here, and for what neither the model nor
    `told` says; WeightsError and DownloadError for what cannot be had; MissingExtraError without transformers.
    """
    _require_transformers(named)
    folder, name, origin = _fetched(named)
    with quiet():
        config = read_config(folder, named)
        family = family_of(config, named)
        kind = _kind(told, family, named)
        prepared = read_processor(folder, named, family.may_pad)
        size = input_size(told.size, family, prepared, named)
        licence = told.licence or card_licence(folder)
    return TransformersModel(
        named,
        folder,
        name,
        origin,
        kind,
        size,
        told.metric_range(kind, family.max_depth, name),
        (Licence(name, licence),) if licence else (),
        family,
        config,
        prepared,
    )


def _require_transformers(named: str) -> None:
    try:
        import transformers  # noqa: F401
    except ModuleNotFoundError:
        raise MissingExtraError(named, "transformers", EXTRA) from None


def _fetched(named: str) -> tuple[Path, str, str]:
    """The folder, the name and the origin of a model."""
    if not is_hub_name(named):
        name = Path(named).resolve().name
        return Path(named), name, name
    folder, pinned = snapshot(named)
    return folder, pinned.name, str(pinned)


def _kind(told: Told, family: Family, named: str) -> DepthKind:
    """What the model answers, by its config or else by what was told."""
    if family.kind is None and told.kind is None:
        raise UsageError(f"the config of {named} does not say what it answers; give --kind metric, or disparity")
    if family.kind and told.kind and family.kind != told.kind and family.kind_is_sure:
        raise UsageError(f"{named} answers {family.kind} depth by its config, not {told.kind}; leave out --kind")
    kind = told.kind or family.kind
    assert kind
    return kind
