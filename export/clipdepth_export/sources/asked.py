"""What the person who exports says of a model that clipdepth did not train."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.bundle.manifest import DepthRange, InputSize, Licence, Model, TrainingCamera
from clipdepth.errors import UsageError
from clipdepth_export.source import ExportSource, SourceFrames
from clipdepth_export.sources import UNKNOWN
from clipdepth_export.sources.dataset import DatasetFrames
from clipdepth_export.sources.pictures import PictureFrames
from clipdepth_train.imported.named import weights_sha256
from clipdepth_train.imported.told import Told
from clipdepth_train.recipe import DataConfig


@dataclass(frozen=True)
class Asked:
    """The options of an export of a model that clipdepth did not train; None where nothing was said."""

    frames: str | None = None
    """Pictures or a video, for golden frames and calibration."""
    data: str | None = None
    """A dataset with measured depth, for the same."""
    told: Told = field(default_factory=Told)
    focal: float | str | None = None
    """The training camera's focal length in pixels of the input, or 'unknown'."""

    @property
    def camera(self) -> TrainingCamera | None:
        """The training camera; raises UsageError where nothing was said of it."""
        if self.focal is None:
            raise UsageError(
                "the model does not say which camera it was trained with; give --focal, its focal length in pixels of "
                f"the input, or --focal {UNKNOWN}"
            )
        return None if isinstance(self.focal, str) else TrainingCamera(self.focal, self.focal)

    def frames_at(self, size: InputSize) -> SourceFrames:
        """The frames to look at; raises UsageError where none, or both kinds, were given."""
        if (self.frames is None) == (self.data is None):
            raise UsageError("give --frames, pictures or a video such as the model will see, or --data, a dataset")
        if self.data is not None:
            return DatasetFrames(self.data, DataConfig(size.height, size.width))
        return PictureFrames(self.frames or "")


def imported_source(
    load: Callable[[], nn.Module],
    name: str,
    origin: str,
    asked: Asked,
    size: InputSize,
    kind: DepthKind,
    depth: DepthRange | None,
    licences: Sequence[Licence],
    finds_focal: bool = False,
) -> ExportSource:
    """A model that clipdepth did not train; `load` gives its module, which keeps the frame contract.

    With `finds_focal` it estimates the camera's focal length itself, so that its depth fits any camera. Raises
    UsageError, before anything is loaded, for what neither the model nor `asked` tells, and for what `asked` tells of a
    model that has none; and what `load` raises.
    """
    if not licences:
        raise UsageError(f"nothing says under which licence {name} may be used; give --licence TEXT")
    any_camera = finds_focal or kind != METRIC
    if any_camera and isinstance(asked.focal, float):
        why = "estimates the focal length itself" if finds_focal else f"answers {kind} depth, which has no metres"
        raise UsageError(f"{name} {why}; leave out --focal")
    camera, frames = None if any_camera else asked.camera, asked.frames_at(size)
    module = load()
    return ExportSource(
        name=name,
        module=module,
        model=describe(module, size, origin),
        height=size.height,
        width=size.width,
        frames=frames,
        depth=depth,
        camera=camera,
        licences=licences,
        kind=kind,
    )


def describe(module: nn.Module, size: InputSize, origin: str) -> Model:
    """The size of a module and its cost a frame, 2 per multiply-add; its weights by their sha256."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.zeros((1, size.height, size.width, 3), dtype=torch.uint8))
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return Model({}, parameters, int(counter.get_total_flops()), weights_sha256(module), origin)
