"""A depth model that the package transformers can load as a teacher, in PyTorch."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch

from clipdepth.bundle.hub_name import is_hub_name
from clipdepth.bundle.manifest import Licence
from clipdepth.bundle.stored_file import stored_file
from clipdepth_train.imported.network import CONFIG
from clipdepth_train.imported.processor import PROCESSOR
from clipdepth_train.imported.told import Told
from clipdepth_train.imported.transformers import TransformersModel, read_model
from clipdepth_train.teacher.of_module import asked_in_turn
from clipdepth_train.teacher.teacher import Answer, Teacher


def transformers_teacher(named: str) -> Teacher:
    """The model of 'hf:OWNER/NAME[@REVISION]' or of a folder, at its processor's size; raises what `read_model` does.

    No config states the training camera, so it is taken to be the student's.
    """
    model = read_model(named, Told())
    stated = model.licences or (Licence(model.name, "not stated by its card; see its owner"),)
    return Teacher(
        name=model.name,
        kind=model.kind,
        size=model.size,
        camera=None,
        weights_sha256=_weights(model),
        licences=stated,
        load=partial(_load, model),
    )


def _weights(model: TransformersModel) -> str:
    """What tells the network from others: a commit on the hub, or the content of the files that it is made of."""
    if is_hub_name(model.named):
        return hashlib.sha256(model.origin.encode()).hexdigest()
    # The config and the processor decide its answers as well: its largest depth, how colours are normalised.
    files = [model.folder / CONFIG, model.folder / PROCESSOR, *sorted(model.folder.glob("*.safetensors"))]
    return hashlib.sha256("".join(stored_file(path).sha256 for path in files).encode()).hexdigest()


@contextmanager
def _load(model: TransformersModel, device: torch.device) -> Iterator[Answer]:
    yield asked_in_turn(model.load().to(device), device)
