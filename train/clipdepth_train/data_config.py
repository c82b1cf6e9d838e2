"""What a model sees of its data, and how that is read."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class DataConfig:
    """What the model is trained and evaluated on."""

    height: int = 240
    """Height of the model's input, pixels."""
    width: int = 320
    """Width of the model's input, pixels."""
    picture: Literal["whole", "paper"] = "whole"
    """Fit the whole picture into the input size, or cut the paper's crops out of a 640×480 picture."""
    dense: bool = False
    """Train on in-painted depth where the dataset has it; evaluation always uses the measured depth."""
    depth_scale: float = 1000.0
    """Units of the depth PNGs in a metre."""
    max_depth: float = 10.0
    """Depth beyond this, in metres, counts as unknown."""
    held_out: int = 0
    """Hold out every so-many-th block of 20 neighbouring training pairs and evaluate on those; 0 for the test pairs."""
    rooms: int = 100
    """Rooms to train on where the data is 'rooms', 40 frames of each."""
    segments: str = ""
    """SAM's segmentation to load with each picture: a name in the data's `segments/`, as `data segment` prints it."""
    every: float = 0.5
    """Seconds between the frames that are taken of a video without depth; 0 takes all."""
    workers: int | None = None
    """Processes that load data, for each training process: one for two cores and 8 at most where no number is given; 0
    loads in the training process itself."""
    other_sizes: tuple[tuple[int, int], ...] = ()
    """Further heights and widths of the input, on which half of the batches are trained: for upright pictures, say.

    Pictures there are cut to the input's shape, see `AugmentConfig.shapes`.
    """

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Heights and widths of the input, the first one and the further ones."""
        return (self.height, self.width), *self.other_sizes
