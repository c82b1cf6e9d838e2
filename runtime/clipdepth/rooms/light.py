"""Light that stays with the room: lamps, the soft shadows they throw on the shell, and corner darkening."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.rooms.shapes import Shape
from clipdepth.rooms.surface import Face

Floats = NDArray[np.float32]
CELLS = 48
"""Shadow samples along each side of a floor or wall."""


@dataclass(frozen=True)
class Lamp:
    """A point light."""

    position: NDArray[np.float64]
    """(3,) float64, world metres."""
    colour: Floats
    """(3,) float32, linear BGR."""

    def reaching(self, points: Floats, normals: Floats) -> Floats:
        """Lambert's share of its light on points (3, ...) with normals (3, ...), falling with distance."""
        x, y, z = (np.float32(self.position[k]) - points[k] for k in range(3))
        squared = x * x + y * y + z * z
        facing = np.maximum(normals[0] * x + normals[1] * y + normals[2] * z, 0)
        return np.asarray(facing / (np.sqrt(squared) * (np.float32(0.8) + squared)), np.float32)


@dataclass(frozen=True)
class Lighting:
    """All light of a room."""

    lamps: list[Lamp]
    ambient: Floats
    """(3,) float32, linear BGR."""
    baked: Floats
    """(7 × (CELLS + 2), CELLS + 2, 3) float32 in [0, 1]: one square for each side of the shell, and a
    bright one for all else; channels are what is left of the ambient light and of the first two lamps."""

    def at(self, points: Floats, normals: Floats, share: Floats) -> Floats:
        """Linear BGR light on points (3, H, W) with normals (3, H, W), (H, W, 3) float32.

        `share` is `baked` at those points, (H, W, 3).
        """
        skyward = np.float32(0.85) + np.float32(0.15) * normals[2]
        light = (skyward * share[..., 0])[..., None] * self.ambient
        for k, lamp in enumerate(self.lamps):
            light += (lamp.reaching(points, normals) * share[..., k + 1])[..., None] * lamp.colour
        return np.asarray(light, np.float32)


def make_lamps(rng: np.random.Generator, size: NDArray[np.float64]) -> list[Lamp]:
    """One or two lamps under the ceiling."""
    lamps = []
    for _ in range(int(rng.integers(1, 3))):
        spot = np.append(rng.uniform(0.2, 0.8, 2) * size[:2], size[2] - rng.uniform(0.25, 0.4))
        warmth = rng.uniform(0.0, 0.35)
        colour = np.array([1 - warmth, 1 - warmth / 3, 1.0]) * rng.uniform(0.6, 1.4) * 4
        lamps.append(Lamp(spot, colour.astype(np.float32)))
    return lamps


def bake(lamps: list[Lamp], shell: list[Face], shapes: list[Shape], size: NDArray[np.float64]) -> Floats:
    """`Lighting.baked` for things in a room."""
    squares = []
    for face in shell:
        share = np.ones((CELLS, CELLS, 3), np.float32)
        points = grid(face)
        share[..., 0] = openness(points, face, shapes, size)
        for k, lamp in enumerate(lamps):
            share[..., k + 1] = unshadowed(points, lamp, shapes)
        share = np.asarray(cv2.GaussianBlur(share, (0, 0), 1.2, borderType=cv2.BORDER_REPLICATE), np.float32)
        squares.append(np.pad(share, ((1, 1), (1, 1), (0, 0)), mode="edge"))
    squares.append(np.ones((CELLS + 2, CELLS + 2, 3), np.float32))
    return np.concatenate(squares)


def grid(face: Face) -> NDArray[np.float64]:
    """(CELLS, CELLS, 3) float64, world metres: cell centres on a face, rows running `down`."""
    along = (np.arange(CELLS) + 0.5) / CELLS - 0.5
    across = along[None, :, None] * face.extent[0] * face.across
    down = along[:, None, None] * face.extent[1] * face.down
    return np.asarray(face.centre + across + down + 0.002 * face.normal, np.float64)


def openness(
    points: NDArray[np.float64], face: Face, shapes: list[Shape], size: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How much ambient light reaches points (..., 3) on a side of the shell: less near others."""
    near = np.full(points.shape[:-1], np.inf)
    for shape in shapes:
        near = np.minimum(near, shape.distance(points))
    gaps = np.concatenate([points, size - points], -1)
    gaps[..., [k for k in range(6) if face.normal[k % 3] != 0]] = np.inf
    corner = np.exp(-gaps / 0.25).sum(-1)
    return np.asarray((1 - 0.45 * np.exp(-np.maximum(near, 0) / 0.15)) * (1 - 0.25 * np.minimum(corner, 1.5)))


def unshadowed(points: NDArray[np.float64], lamp: Lamp, shapes: list[Shape]) -> NDArray[np.bool_]:
    """Whether nothing stands between a lamp and points (..., 3)."""
    rays = np.moveaxis(points - lamp.position, -1, 0).astype(np.float32)
    lit = np.ones(points.shape[:-1], np.bool_)
    for shape in shapes:
        if not shape.glows:
            depth, _ = shape.meet(lamp.position, rays)
            lit &= ~(depth < 0.995)
    return lit
