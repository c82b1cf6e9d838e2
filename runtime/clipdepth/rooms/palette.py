"""The materials one room is made of."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipdepth.rooms import texture
from clipdepth.rooms.surface import Material

Generator = np.random.Generator
Pattern = Callable[[Generator], NDArray[np.float32]]

# For each kind: the patterns to choose from, how many materials a room has, the side of one repeat.
KINDS: dict[str, tuple[tuple[Pattern, ...], int, tuple[float, float]]] = {
    "wall": ((texture.plaster, texture.plaster, texture.stripes, texture.marble), 2, (0.8, 1.8)),
    "ceiling": ((texture.plaster, texture.plaster, texture.tiles), 1, (1.2, 2.0)),
    "floor": ((texture.planks, texture.planks, texture.tiles, texture.checks, texture.carpet), 1, (0.8, 1.6)),
    "wood": ((texture.wood,), 3, (0.6, 1.2)),
    "cloth": ((texture.weave, texture.stripes, texture.checks, texture.carpet), 3, (0.4, 0.9)),
    "paint": ((texture.paint, texture.marble, texture.paint), 3, (0.5, 1.0)),
    "rug": ((texture.carpet, texture.checks, texture.weave), 1, (0.6, 1.2)),
    "picture": ((texture.picture,), 2, (1.0, 1.0)),
    "window": ((texture.window,), 1, (1.0, 1.0)),
    "door": ((texture.door,), 1, (1.0, 1.0)),
    "drawers": ((texture.drawers,), 2, (1.0, 1.0)),
    "books": ((texture.books,), 1, (1.0, 1.0)),
    "lamp": ((texture.paint,), 1, (0.5, 0.5)),
}
FITTED = frozenset({"picture", "window", "door", "drawers", "books"})
GLOW = {"window": 0.5, "lamp": 0.9}


@dataclass(frozen=True)
class Palette:
    """A room's textures and the materials that use them, by kind."""

    textures: list[NDArray[np.float32]]
    """Each (SIDE, SIDE, 3) float32 BGR in [0, 1]; `Material.tile` counts into them."""
    materials: dict[str, list[Material]]

    def pick(self, rng: Generator, kind: str) -> Material:
        """Any of the room's materials of a kind."""
        choices = self.materials[kind]
        return choices[int(rng.integers(len(choices)))]


def make_palette(rng: Generator) -> Palette:
    """Draw every texture of a room."""
    textures: list[NDArray[np.float32]] = []
    materials: dict[str, list[Material]] = {}
    for kind, (patterns, count, metres) in KINDS.items():
        materials[kind] = []
        for _ in range(count):
            pattern = patterns[int(rng.integers(len(patterns)))]
            materials[kind].append(Material(len(textures), rng.uniform(*metres), GLOW.get(kind, 0.0), kind in FITTED))
            textures.append(texture.make_texture(pattern, rng))
    return Palette(textures, materials)
