"""All textures of a room at every size in one picture, for sampling without aliasing."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.rooms.texture import SIDE

Floats = NDArray[np.float32]
LEVELS = 7
PITCH = SIDE + 2
FULL = np.float32(65535)


@dataclass(frozen=True)
class Atlas:
    """Textures one below the other, each halved again and again to the right, with wrapped borders."""

    pixels: NDArray[np.uint16]
    """(tiles × PITCH, about 2 × SIDE, 3) uint16, linear BGR reflectance from 0 to FULL."""

    def sample(self, tile: Floats, u: Floats, v: Floats, footprint: Floats) -> Floats:
        """Colours (H, W, 3) float32 at texture repeats (u, v) of tiles, all (H, W) float32.

        `footprint` is how many full-size texels a picture pixel covers; detail finer than it is faded.
        """
        level = np.clip(np.log2(np.maximum(footprint, 1)), 0, LEVELS - 1.001)
        lower = np.floor(level)
        u, v, top = u - np.floor(u), v - np.floor(v), tile * PITCH
        fine = self._at(lower, u, v, top)
        coarse = self._at(lower + 1, u, v, top)
        return blend(fine, coarse, level - lower)

    def _at(self, level: Floats, u: Floats, v: Floats, top: Floats) -> Floats:
        side = np.exp2(np.float32(8) - level)
        # Levels start at x = 0, 258, 388, ...: each is its side and two border pixels wide.
        left = 2 * SIDE - 2 * side + 2 * level
        x, y = left + u * side + 0.5, top + v * side + 0.5
        texels = cv2.remap(self.pixels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(texels / FULL, np.float32)


def blend(first: Floats, second: Floats, share: Floats) -> Floats:
    """first + share × (second - first), for (H, W, 3) and share (H, W)."""
    return np.asarray(first + (second - first) * share[..., None], np.float32)


def make_atlas(textures: list[Floats]) -> Atlas:
    """Pack textures, (SIDE, SIDE, 3) float32 as shown on a screen, converting them to linear light."""
    width = sum((SIDE >> level) + 2 for level in range(LEVELS))
    pixels = np.zeros((len(textures) * PITCH, width, 3), np.uint16)
    for row, texture in enumerate(textures):
        picture, left = np.rint(np.square(texture) * FULL).astype(np.uint16), 0
        for level in range(LEVELS):
            side = SIDE >> level
            bordered = cv2.copyMakeBorder(picture, 1, 1, 1, 1, cv2.BORDER_WRAP)
            pixels[row * PITCH :, left:][: side + 2, : side + 2] = bordered
            picture = np.asarray(cv2.resize(picture, (side // 2, side // 2), interpolation=cv2.INTER_AREA), np.uint16)
            left += side + 2
    return Atlas(pixels)
