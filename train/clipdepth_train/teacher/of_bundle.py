"""A bundle as a teacher, in an engine of the runtime."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch

from clipdepth.bundle.folder import Bundle
from clipdepth.bundle.manifest import CODE, PRECISIONS
from clipdepth.engines import AUTO
from clipdepth.model import load
from clipdepth_train.teacher.teacher import Answer, Teacher


def bundle_teacher(bundle: Bundle) -> Teacher:
    """The model of a bundle, whatever it was exported from."""
    manifest, on_hub = bundle.manifest, bundle.hub_name
    return Teacher(
        name=on_hub.name if on_hub else bundle.path.resolve().name.removesuffix(".bundle"),
        kind=manifest.kind,
        size=manifest.input,
        camera=manifest.camera,
        weights_sha256=manifest.model.checkpoint_sha256,
        # clipdepth's own code is no part of what the network learned from.
        licences=tuple(licence for licence in manifest.licences if licence.part != CODE.part),
        load=partial(_load, bundle),
    )


@contextmanager
def _load(bundle: Bundle, device: torch.device) -> Iterator[Answer]:
    is_gpu = device.type == "cuda"
    # Of the graphs the most exact: labels are made once, and int8 is for devices. On a GPU half precision first.
    wanted = ("fp16", *PRECISIONS) if is_gpu else PRECISIONS
    precision = next(name for name in wanted if name in bundle.manifest.precisions)
    number = (device.index or 0) if is_gpu else None
    with load(bundle, engine=AUTO if is_gpu else "onnxruntime", precision=precision, device=number) as model:
        yield lambda frame: np.asarray(model.engine.infer(frame[None]).depth[0], np.float32)
