"""What every engine's graph takes and gives, whatever library runs it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import EngineError

Port = tuple[str, str]
"""An input's or output's name and NumPy type, such as ('frame', 'uint8')."""
_FRAMES = [("frame", "uint8"), ("segmentation", "uint8")]
ANSWERS = ("depth", "confidence", "novelty")
"""The names of the outputs: depth alone, or all; each is float32."""


def check_contract(graph: Path, inputs: Sequence[Port], outputs: Sequence[Port]) -> None:
    """Raise EngineError where `graph` does not turn a uint8 frame, with or without a segmentation, into depth.

    Confidence and novelty may come with it.
    """
    answers = [(name, "float32") for name in ANSWERS]
    if list(inputs) not in (_FRAMES[:1], _FRAMES) or list(outputs) not in (answers[:1], answers):
        raise EngineError(f"{graph} does not turn a uint8 'frame' into a float32 'depth'; export it again")


def name_inputs(frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None) -> dict[str, NDArray[np.uint8]]:
    """The arguments of `Engine.infer` under the graph's names."""
    return {"frame": frames} if segmentation is None else {"frame": frames, "segmentation": segmentation}
