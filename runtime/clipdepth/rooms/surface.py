"""What a shape shows to the camera: a material, and the flat or curved faces that carry it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Material:
    """How a face is painted."""

    tile: int
    """Which texture of the room."""
    metres: float = 1.0
    """Side of one repeat of the texture on the face."""
    glow: float = 0.0
    """Light given off, as a share of the picture's white, whatever falls on the face."""
    fit: bool = False
    """Stretch the texture once over the whole face instead of repeating it, for doors and pictures."""


@dataclass(frozen=True)
class Face:
    """A painted side of a shape. Vectors are (3,) float64, world metres.

    The texture is at (0.5, 0.5) in the face's `centre`, and runs along the unit vectors `across` and
    `down`. A curved face has a normal and texture of its own in every point; its vectors are unused.
    """

    centre: NDArray[np.float64]
    normal: NDArray[np.float64]
    across: NDArray[np.float64]
    down: NDArray[np.float64]
    extent: tuple[float, float]
    material: Material
    curved: bool = False

    @property
    def repeats(self) -> tuple[float, float]:
        """Texture repeats per metre along `across` and `down`."""
        if self.material.fit:
            return 1 / self.extent[0], 1 / self.extent[1]
        return 1 / self.material.metres, 1 / self.material.metres


def flat_face(
    centre: NDArray[np.float64],
    axes: NDArray[np.float64],
    half: NDArray[np.float64],
    side: int,
    paint: Material,
) -> Face:
    """Side 0..5 (-x, +x, -y, +y, -z, +z) of the box with the rows of `axes` (3, 3) and half sizes (3,).

    On upright sides the texture hangs upright; on level ones it runs along the longer edge.
    """
    axis, sign = side // 2, 1.0 if side % 2 else -1.0
    first, second = [k for k in range(3) if k != axis]
    if axis == 2 and half[first] < half[second]:
        first, second = second, first
    down = -axes[second] if second == 2 else axes[second]
    return Face(
        centre + sign * half[axis] * axes[axis],
        sign * axes[axis],
        axes[first],
        down,
        (2 * float(half[first]), 2 * float(half[second])),
        paint,
    )


def curved_face(centre: NDArray[np.float64], material: Material) -> Face:
    """The round side of a cylinder or a sphere about `centre`."""
    nothing = np.zeros(3)
    return Face(centre, nothing, nothing, nothing, (1.0, 1.0), material, curved=True)
