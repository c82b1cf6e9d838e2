"""Teachers whose answers are known in closed form: bundles that answer a pixel's brightness."""

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from bundles import brightness_depth, write_bundle
from clipdepth.bundle.kind import DepthKind
from clipdepth.bundle.manifest import MANIFEST, TrainingCamera, decode_manifest
from clipdepth.bundle.record import encode_record
from clipdepth.camera.letterbox import Letterbox

HEIGHT, WIDTH, FOCAL = 40, 56, 100.0
CAMERA = TrainingCamera(FOCAL, FOCAL)


def write_teacher(path: Path, kind: DepthKind = "metric", camera: TrainingCamera | None = CAMERA) -> Path:
    """Write a bundle that answers 0.5 and 5 times the brightness, of pictures of 40×56, and return it."""
    write_bundle(path, HEIGHT, WIDTH)
    manifest = decode_manifest((path / MANIFEST).read_bytes(), "here")
    depth = manifest.depth if kind == "metric" else None
    changed = msgspec.structs.replace(manifest, kind=kind, depth=depth, camera=camera)
    (path / MANIFEST).write_bytes(encode_record(changed))
    return path


def teachers_answer(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What it answers to a picture (H, W, 3) of any size, in the part of its own 40×56 that shows it, float32."""
    box = Letterbox.of(*picture.shape[:2], HEIGHT, WIDTH)
    return brightness_depth(box.inside(box.picture(np.ascontiguousarray(picture))))
