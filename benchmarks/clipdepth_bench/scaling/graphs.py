"""The bundle's model at other sizes and for batches: exported with random weights, kept beside the results."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.manifest import InputSize, Precision
from clipdepth.errors import BundleError
from clipdepth_bench.scaling.points import BATCHES
from clipdepth_bench.scaling.record import Point


class Graphs:
    """Finds the bundle that a point is measured with, and makes it where it is not there yet."""

    def __init__(self, bundle: Bundle, precisions: Sequence[Precision], folder: Path) -> None:
        self._bundle, self._precisions, self._folder = bundle, precisions, folder

    def path(self, point: Point) -> Path:
        """The folder of the point's bundle; the bundle itself where its own graphs will do."""
        if point.axis == "size":
            return self._made(InputSize(point.height, point.width))
        if point.axis == "batch":
            return self._made(InputSize(point.height, point.width, max(BATCHES)))
        return self._bundle.path

    def _made(self, size: InputSize) -> Path:
        batch = f"x{size.max_batch}" if size.max_batch > 1 else ""
        path = self._folder / f"random-{size.height}x{size.width}{batch}.bundle"
        try:
            open_bundle(path, any_tolerance=True)
        except BundleError:
            self._write(path, size)
        return path

    def _write(self, path: Path, size: InputSize) -> None:
        from clipdepth_bench.families.peers.random_bundle import write_random_bundle
        from clipdepth_train.depth_model import build_model
        from clipdepth_train.recipe_record import decode_recipe

        recipe = decode_recipe(self._bundle.manifest.model.recipe, str(self._bundle.path))
        frames = replace(recipe.frames, height=size.height, width=size.width)
        model = build_model(replace(recipe, frames=frames), pretrained=False).deployable()
        write_random_bundle(path, model, size, self._precisions)
