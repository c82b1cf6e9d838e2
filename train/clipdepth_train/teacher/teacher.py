"""A teacher: a depth model whose answers to pictures are what a student learns."""

import hashlib
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.bundle.manifest import InputSize, Licence, TrainingCamera
from clipdepth.camera.letterbox import Letterbox
from clipdepth.camera.pinhole import Intrinsics

Answer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From a picture of the teacher's own size, (h, w, 3) uint8 BGR, to what it answers, (h, w) float32."""


LAYOUT = 2
"""How answers are kept; another number lets them be asked for again."""


@dataclass(frozen=True)
class Teacher:
    """What is known of a depth model, and how to load it; making one loads no weights."""

    name: str
    """Of its folder or repository, without the path."""
    kind: DepthKind
    """What its answers are."""
    size: InputSize
    """The pictures that it takes."""
    camera: TrainingCamera | None
    """Its training camera in pixels of its input; None where nobody knows it."""
    weights_sha256: str
    """Tells one network from another."""
    licences: tuple[Licence, ...]
    """What went into it, and what each part may be used for: it goes into the student too."""
    load: Callable[[torch.device], AbstractContextManager[Answer]]
    """Load the network on a device, in half precision on a GPU; the end of the context frees it."""

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides its answers and how they are read, in plain values."""
        return {
            "name": self.name,
            "weights_sha256": self.weights_sha256,
            "kind": self.kind,
            "height": self.size.height,
            "width": self.size.width,
            "camera": msgspec.to_builtins(self.camera),
            "licences": msgspec.to_builtins(self.licences),
        }

    @property
    def key(self) -> str:
        """Its name and 8 digits of a hash over its weights and its input size: the folder of its answers."""
        decides = [self.weights_sha256, self.kind, self.size.height, self.size.width, LAYOUT]
        digest = hashlib.sha256(json.dumps(decides).encode()).hexdigest()
        return f"{re.sub(r'[^A-Za-z0-9._-]', '-', self.name)}-{digest[:8]}"

    def factor(self, student: Intrinsics, height: int, width: int) -> float:
        """By what a metric answer to a picture of `height` × `width` is multiplied for a student's camera `student`.

        A network does not know the camera that took a picture. Something of size s metres, d metres before a camera
        of focal length f, is f·s/d pixels wide; the teacher sees it scaled by t, and one trained at focal length f_t,
        in pixels of what it sees, takes it for f_t·s/(t·f·s/d) = d·f_t/(t·f) metres away. A student for focal length
        f_s that sees it scaled by u should answer d·f_s/(u·f), which is the teacher's answer times (t·f_s)/(u·f_t),
        whatever f is. Both see the whole picture, see `Letterbox`.

        1 where the answers have no scale, or where the teacher's camera is not known and taken to be the student's.
        """
        if self.kind != METRIC or self.camera is None:
            return 1.0
        seen_by = [Letterbox.of(height, width, size.height, size.width).scale for size in (self.size, student)]
        return seen_by[0] * student.fx / (seen_by[1] * self.camera.fx)
