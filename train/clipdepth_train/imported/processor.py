"""What an image processor of transformers does to a picture."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from clipdepth.errors import UsageError
from clipdepth.files.foreign import shortened

PROCESSOR = "preprocessor_config.json"
_PICTURE = (480, 640, 3)
"""The picture that a model's own size is asked for."""


@dataclass(frozen=True)
class Preparation:
    """How a picture becomes a network's input: RGB from 0 to 1 less `mean` over `std`, at `size`."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size: tuple[int, int]
    """Height and width that a picture of 480×640 is resized to."""
    multiple: int
    """Pixels that height and width are a multiple of."""


def read_processor(folder: Path, named: str, may_pad: bool) -> Preparation:
    """What the processor of a model's folder does; its padding is left out if that `may_pad`.

    Raises UsageError where there is none, it is damaged, or it crops or pads.
    """
    try:
        return _preparation(folder, named, may_pad)
    except UsageError:
        raise
    except Exception as error:  # of a file that anybody may have written
        raise UsageError(
            f"{named}: its {PROCESSOR} makes no processor: {shortened(' '.join(str(error).split()))}; "
            "choose a revision with a whole one"
        ) from None


def _preparation(folder: Path, named: str, may_pad: bool) -> Preparation:
    transformers: Any = import_module("transformers")
    processor = transformers.AutoImageProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    _refuse_cropping(processor, named, may_pad)
    without = {"do_pad": False} if may_pad else {}
    pixels = processor(images=np.zeros(_PICTURE, np.uint8), return_tensors="np", **without)["pixel_values"]
    multiple = getattr(processor, "ensure_multiple_of", None) or getattr(processor, "size_divisor", None) or 1
    return Preparation(*_normalisation(processor), (pixels.shape[-2], pixels.shape[-1]), max(1, int(multiple)))


def _refuse_cropping(processor: Any, named: str, may_pad: bool) -> None:
    for name, does in (("do_center_crop", "crops"), ("do_pad", "pads")):
        if getattr(processor, name, None) and not (name == "do_pad" and may_pad):
            raise UsageError(
                f"{named}: its processor {does} pictures ({name}), and a bundle's frames are only resized; set "
                f"{name} to false in the {PROCESSOR} of a local copy, if the model does without"
            )


def _normalisation(processor: Any) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and standard deviation of colours from 0 to 1, whatever factor the processor rescales them by."""
    factor = 255 * (processor.rescale_factor if processor.do_rescale else 1)
    mean, std = (processor.image_mean, processor.image_std) if processor.do_normalize else (0, 1)
    return _colours(mean, factor), _colours(std, factor)


def _colours(values: Any, factor: float) -> tuple[float, float, float]:
    red, green, blue = np.broadcast_to(values, 3) / factor
    return float(red), float(green), float(blue)
