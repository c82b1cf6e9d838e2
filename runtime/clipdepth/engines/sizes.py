"""One engine for all sizes of a bundle: a graph for each, loaded when the first frame of its size comes."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.answer import Answer
from clipdepth.bundle.manifest import InputSize
from clipdepth.engines import Engine
from clipdepth.engines.operations import Operation

Shape = tuple[int, int]


class SizedEngine:
    """The first size's graph is loaded at once, so that what is wrong with the engine is told before frames come.

    Its name, device, operations and profile are those of that graph; `infer` takes frames of any of the sizes.
    """

    def __init__(self, load: Callable[[InputSize], Engine], sizes: tuple[InputSize, ...]) -> None:
        self._load = load
        self._sizes = {(size.height, size.width): size for size in sizes}
        self._first = load(sizes[0])
        self._loaded: dict[Shape, Engine] = {(sizes[0].height, sizes[0].width): self._first}
        self.name, self.device = self._first.name, self._first.device

    def infer(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
        """See `Engine.infer`; raises as `load_engine` where the graph of another size does not load."""
        return self._at(frames).infer(frames, segmentation)

    def operations(self) -> list[Operation]:
        """See `Engine.operations`."""
        return self._first.operations()

    def profile(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> list[Operation]:
        """See `Engine.profile`."""
        return self._at(frames).profile(frames, segmentation)

    def close(self) -> None:
        """See `Engine.close`."""
        for engine in self._loaded.values():
            engine.close()
        self._sizes.clear()

    def _at(self, frames: NDArray[np.uint8]) -> Engine:
        """The engine of the frames' size; the first one, which refuses them, for one that the bundle does not have."""
        shape = (frames.shape[1], frames.shape[2])
        if shape not in self._loaded and shape in self._sizes:
            self._loaded[shape] = self._load(self._sizes[shape])
        return self._loaded.get(shape, self._first)
