"""Boxes, cylinders and spheres: where rays meet them, how far points are from them.

The world has z up and the floor at z = 0, in metres. A ray is origin + depth × direction; with directions
whose length along the optical axis is 1, `depth` is z-depth.
"""

import functools
import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clipdepth.rooms.surface import Face, Material, curved_face, flat_face

Floats = NDArray[np.float32]
Vector = tuple[float, float, float]
TINY = np.float32(1e-12)
HAIR = np.float32(1e-6)


class Shape(Protocol):
    """A closed convex thing that rays meet from outside."""

    @property
    def bounds(self) -> NDArray[np.float64]:
        """(8, 3) float64, metres: corners whose hull contains the shape."""

    @property
    def faces(self) -> list[Face]:
        """Its painted sides, in the order `meet` numbers them."""

    @property
    def glows(self) -> bool:
        """Whether it gives light, and so throws no shadow."""

    def meet(self, origin: NDArray[np.float64], directions: Floats) -> tuple[Floats, NDArray[np.int16]]:
        """Rays from `origin` (3,) along `directions` (3, ...): depth (...), inf if missed, and face (...)."""

    def distance(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Metres from `points` (..., 3) to the surface, (...) float64; 0 or less inside."""

    def curve(self, points: Floats) -> tuple[Floats, Floats]:
        """Of surface `points` (3, N) on a curved face: normals (3, N) and texture repeats (2, N)."""

    def placed(self, x: float, y: float, yaw: float) -> "Shape":
        """The shape turned by `yaw` radians about the origin's vertical, then moved by (x, y) metres."""


@dataclass(frozen=True)
class Box:
    """A box turned by `yaw` radians about the vertical; `half` are half its width, depth and height.

    The face towards its own -y shows `front`, where that is given.
    """

    centre: Vector
    half: Vector
    yaw: float
    material: Material
    front: Material | None = None

    @property
    def axes(self) -> NDArray[np.float64]:
        """(3, 3) float64: the box's own x, y and z in the world, in rows."""
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])

    @property
    def bounds(self) -> NDArray[np.float64]:
        return np.asarray(self.centre) + (cube_corners() * self.half) @ self.axes

    @property
    def faces(self) -> list[Face]:
        centre, half = np.asarray(self.centre), np.asarray(self.half)
        paints = [self.front if side == 2 and self.front else self.material for side in range(6)]
        return [flat_face(centre, self.axes, half, side, paints[side]) for side in range(6)]

    @property
    def glows(self) -> bool:
        return self.material.glow > 0

    def meet(self, origin: NDArray[np.float64], directions: Floats) -> tuple[Floats, NDArray[np.int16]]:
        c, s = np.float32(math.cos(self.yaw)), np.float32(math.sin(self.yaw))
        dx, dy, dz = directions
        start = self.axes @ (origin - self.centre)
        slabs = [
            slab(local, begin, size)
            for local, begin, size in zip((c * dx + s * dy, c * dy - s * dx, dz), start, self.half, strict=True)
        ]
        near = np.maximum(np.maximum(slabs[0][0], slabs[1][0]), slabs[2][0])
        far = np.minimum(np.minimum(slabs[0][1], slabs[1][1]), slabs[2][1])
        # Seen from outside, the side of each axis that a ray can enter by is the one the origin lies on.
        entry = [2 * axis + int(begin > 0) for axis, begin in enumerate(start)]
        face = np.where(near == slabs[2][0], entry[2], np.where(near == slabs[1][0], entry[1], entry[0]))
        hit = (near <= far) & (near > 0)
        return np.where(hit, near, np.float32(np.inf)), face.astype(np.int16)

    def distance(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        local = (points - self.centre) @ self.axes.T
        return rounded_distance(np.abs(local) - self.half)

    def curve(self, points: Floats) -> tuple[Floats, Floats]:
        raise NotImplementedError("a box has no curved face")

    def placed(self, x: float, y: float, yaw: float) -> "Box":
        return replace(self, centre=turned(self.centre, x, y, yaw), yaw=self.yaw + yaw)


@dataclass(frozen=True)
class Cylinder:
    """An upright cylinder; face 0 is its round side, 1 its bottom, 2 its top."""

    centre: Vector
    radius: float
    half_height: float
    material: Material

    @property
    def bounds(self) -> NDArray[np.float64]:
        return np.asarray(self.centre) + cube_corners() * (self.radius, self.radius, self.half_height)

    @property
    def faces(self) -> list[Face]:
        centre, half = np.asarray(self.centre), np.array([self.radius, self.radius, self.half_height])
        caps = [flat_face(centre, np.eye(3), half, side, self.material) for side in (4, 5)]
        return [curved_face(centre, self.material), *caps]

    @property
    def glows(self) -> bool:
        return self.material.glow > 0

    def meet(self, origin: NDArray[np.float64], directions: Floats) -> tuple[Floats, NDArray[np.int16]]:
        dx, dy, dz = directions
        # A plumb ray has no depth at which it meets the round side; one a hair off has.
        dx = np.where(np.abs(dx) < HAIR, HAIR, dx)
        ox, oy, oz = (float(v) for v in origin - self.centre)
        squared, along, aside = dx * dx + dy * dy, ox * dx + oy * dy, np.square(ox * dy - oy * dx)
        side_near, side_far = roots(squared, along, aside, self.radius)
        cap_near, cap_far = slab(dz, oz, self.half_height)
        near, far = np.maximum(side_near, cap_near), np.minimum(side_far, cap_far)
        face = np.where(side_near >= cap_near, 0, 2 if oz > 0 else 1)
        hit = (near <= far) & (near > 0)
        return np.where(hit, near, np.float32(np.inf)), face.astype(np.int16)

    def distance(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        local = points - self.centre
        across = np.hypot(local[..., 0], local[..., 1]) - self.radius
        return rounded_distance(np.stack([across, np.abs(local[..., 2]) - self.half_height], -1))

    def curve(self, points: Floats) -> tuple[Floats, Floats]:
        x, y, z = (points[k] - np.float32(self.centre[k]) for k in range(3))
        around = whole_repeats(self.radius, self.material) * np.arctan2(y, x) / np.float32(2 * math.pi)
        normals = np.stack([x, y, np.zeros_like(z)]) / np.float32(self.radius)
        return normals, np.stack([around, -z / np.float32(self.material.metres)])

    def placed(self, x: float, y: float, yaw: float) -> "Cylinder":
        return replace(self, centre=turned(self.centre, x, y, yaw))


@dataclass(frozen=True)
class Sphere:
    """A ball; its one face is curved."""

    centre: Vector
    radius: float
    material: Material

    @property
    def bounds(self) -> NDArray[np.float64]:
        return np.asarray(self.centre) + cube_corners() * self.radius

    @property
    def faces(self) -> list[Face]:
        return [curved_face(np.asarray(self.centre), self.material)]

    @property
    def glows(self) -> bool:
        return self.material.glow > 0

    def meet(self, origin: NDArray[np.float64], directions: Floats) -> tuple[Floats, NDArray[np.int16]]:
        dx, dy, dz = directions
        ox, oy, oz = (float(v) for v in origin - self.centre)
        squared, along = dx * dx + dy * dy + dz * dz, ox * dx + oy * dy + oz * dz
        aside = np.square(oy * dz - oz * dy) + np.square(oz * dx - ox * dz) + np.square(ox * dy - oy * dx)
        near, far = roots(squared, along, aside, self.radius)
        hit = (near <= far) & (near > 0)
        return np.where(hit, near, np.float32(np.inf)), np.zeros(near.shape, np.int16)

    def distance(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.linalg.norm(points - self.centre, axis=-1) - self.radius, np.float64)

    def curve(self, points: Floats) -> tuple[Floats, Floats]:
        normals = (points - np.asarray(self.centre, np.float32)[:, None]) / np.float32(self.radius)
        around = whole_repeats(self.radius, self.material) * np.arctan2(normals[1], normals[0])
        upward = -np.arcsin(np.clip(normals[2], -1, 1)) * np.float32(self.radius / self.material.metres)
        return normals, np.stack([around / np.float32(2 * math.pi), upward])

    def placed(self, x: float, y: float, yaw: float) -> "Sphere":
        return replace(self, centre=turned(self.centre, x, y, yaw))


def slab(direction: Floats, start: float, half: float) -> tuple[Floats, Floats]:
    """Depths at which rays from `start` along one axis enter and leave the slab [-half, half]."""
    inverse = 1 / np.where(np.abs(direction) < TINY, TINY, direction)
    low, high = np.float32(-half - start) * inverse, np.float32(half - start) * inverse
    return np.minimum(low, high), np.maximum(low, high)


def roots(squared: Floats, along: Floats, aside: Floats, radius: float) -> tuple[Floats, Floats]:
    """Depths at which rays enter and leave a round thing about the origin; (inf, -inf) where they miss.

    Given are d·d, o·d and |o × d|² of rays o + t d: unlike o·o - r², they keep their digits in float32.
    """
    inside = squared * np.float32(radius * radius) - aside
    root = np.sqrt(np.maximum(inside, 0))
    hit = inside >= 0
    near = np.where(hit, (-along - root) / squared, np.float32(np.inf))
    return near, np.where(hit, (root - along) / squared, np.float32(-np.inf))


def rounded_distance(excess: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from how far points are beyond each side, (..., K): Euclidean outside, ≤ 0 inside."""
    most = functools.reduce(np.maximum, np.moveaxis(excess, -1, 0))
    outside = np.sqrt(sum(np.square(np.maximum(side, 0)) for side in np.moveaxis(excess, -1, 0)))
    return np.asarray(outside + np.minimum(most, 0), np.float64)


def cube_corners() -> NDArray[np.float64]:
    """(8, 3) float64: every combination of -1 and 1."""
    return np.stack(np.meshgrid(*[[-1.0, 1.0]] * 3, indexing="ij"), -1).reshape(8, 3)


def turned(centre: Vector, x: float, y: float, yaw: float) -> Vector:
    c, s = math.cos(yaw), math.sin(yaw)
    return c * centre[0] - s * centre[1] + x, s * centre[0] + c * centre[1] + y, centre[2]


def whole_repeats(radius: float, material: Material) -> float:
    """Texture repeats once around, a whole number so that no seam shows."""
    return float(max(1, round(2 * math.pi * radius / material.metres)))
