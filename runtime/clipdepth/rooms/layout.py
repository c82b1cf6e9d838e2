"""What stands where: the shell of a room, things on its walls, furniture clear of the camera's path."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipdepth.rooms.furniture import AGAINST_WALLS, FREE_STANDING, Piece
from clipdepth.rooms.palette import Palette
from clipdepth.rooms.path import Path
from clipdepth.rooms.shapes import Box, Shape
from clipdepth.rooms.surface import Face, Material, flat_face

Generator = np.random.Generator
CLEARANCE = 0.4
"""Metres between the path and furniture that reaches up to it."""
ATTEMPTS = 150
NO_MATERIAL = Material(0)


@dataclass(frozen=True)
class Footprint:
    """The turned rectangle of floor that a piece takes."""

    x: float
    y: float
    yaw: float
    half: tuple[float, float]

    def corners(self) -> NDArray[np.float64]:
        """(4, 2) float64, world metres."""
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * self.half
        return np.asarray(signs @ np.array([[c, s], [-s, c]]) + (self.x, self.y), np.float64)

    def distance(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Metres from points (N, 2) to the rectangle, (N,); 0 inside."""
        box = Box((self.x, self.y, 0.0), (*self.half, 1.0), self.yaw, NO_MATERIAL)
        return np.maximum(box.distance(np.pad(points, ((0, 0), (0, 1)))), 0)

    def overlaps(self, other: "Footprint") -> bool:
        """Whether two rectangles share floor, by the separating axis theorem."""
        ours, theirs = self.corners(), other.corners()
        for corners in (ours, theirs):
            for axis in (corners[1] - corners[0], corners[3] - corners[0]):
                a, b = ours @ axis, theirs @ axis
                if a.max() <= b.min() or b.max() <= a.min():
                    return False
        return True


def shell_faces(rng: Generator, palette: Palette, size: NDArray[np.float64]) -> list[Face]:
    """The six inner sides of an empty room, -x, +x, -y, +y, floor, ceiling, facing inwards."""
    main, accent = palette.materials["wall"]
    walls = [main] * 4
    walls[int(rng.integers(4))] = accent if rng.random() < 0.5 else main
    paints = [*walls, palette.pick(rng, "floor"), palette.pick(rng, "ceiling")]
    faces = [flat_face(size / 2, np.eye(3), size / 2, side, paints[side]) for side in range(6)]
    return [Face(face.centre, -face.normal, face.across, face.down, face.extent, face.material) for face in faces]


def against(wall: int, size: NDArray[np.float64], along: float, depth: float) -> tuple[float, float, float]:
    """Where a thing `depth` metres deep stands with its back to a wall (-x, +x, -y, +y): x, y, yaw."""
    inward = depth / 2 + 0.004
    return (
        (inward, along, math.pi / 2),
        (size[0] - inward, along, -math.pi / 2),
        (along, inward, math.pi),
        (along, size[1] - inward, 0.0),
    )[wall]


def panels(rng: Generator, palette: Palette, size: NDArray[np.float64]) -> list[Shape]:
    """Doors, windows and pictures, side by side along each wall."""
    shapes: list[Shape] = []
    for wall in range(4):
        length, along = float(size[1 if wall < 2 else 0]), rng.uniform(0.1, 0.6)
        while along < length - 0.5:
            kind = str(rng.choice(["picture", "picture", "window", "door"]))
            panel = make_panel(rng, palette, kind, size[2])
            along += panel.half[0]
            if along + panel.half[0] > length - 0.1:
                break
            if rng.random() < 0.7:
                shapes.append(panel.placed(*against(wall, size, along, 2 * panel.half[1])))
            along += panel.half[0] + rng.uniform(0.2, 1.2)
    return shapes


def make_panel(rng: Generator, palette: Palette, kind: str, ceiling: float) -> Box:
    """A thin upright box about the origin, with its picture towards -y."""
    wide, low, high = {
        "picture": (rng.uniform(0.3, 0.9), rng.uniform(1.1, 1.4), rng.uniform(1.6, 2.0)),
        "window": (rng.uniform(0.7, 1.8), rng.uniform(0.7, 1.0), rng.uniform(1.9, 2.15)),
        "door": (rng.uniform(0.75, 0.95), 0.0, rng.uniform(1.95, 2.1)),
    }[kind]
    high = min(high, ceiling - 0.1)
    thick = rng.uniform(0.004, 0.009)
    return Box(
        (0.0, 0.0, (low + high) / 2),
        (wide / 2, thick, (high - low) / 2),
        0.0,
        palette.pick(rng, "wood" if kind == "door" else "paint"),
        palette.pick(rng, kind),
    )


def furnish(rng: Generator, palette: Palette, size: NDArray[np.float64], path: Path) -> list[Shape]:
    """Up to 14 pieces that touch neither each other nor the air about the path, and maybe a rug."""
    walked = path.loop[::16]
    taken: list[Footprint] = []
    shapes: list[Shape] = []
    wanted, lowest = int(rng.integers(8, 15)), path.lowest - CLEARANCE
    for _ in range(ATTEMPTS):
        if len(taken) >= wanted:
            break
        piece, spot = propose(rng, palette, size, path)
        outside = ((spot.corners() < 0) | (spot.corners() > size[:2])).any()
        blocks = piece.top > lowest and spot.distance(walked).min() < CLEARANCE
        if outside or blocks or any(spot.overlaps(other) for other in taken):
            continue
        taken.append(spot)
        shapes += [shape.placed(spot.x, spot.y, spot.yaw) for shape in piece.shapes]
    return shapes + rug(rng, palette, size)


def propose(rng: Generator, palette: Palette, size: NDArray[np.float64], path: Path) -> tuple[Piece, Footprint]:
    """A piece and a place for it, which may not be free: at a wall, or near where the camera passes."""
    makers: tuple[Callable[[Generator, Palette], Piece], ...]
    by_wall = rng.random() < 0.5
    makers = AGAINST_WALLS if by_wall else FREE_STANDING
    piece = makers[int(rng.integers(len(makers)))](rng, palette)
    half = (piece.size[0] / 2 + 0.01, piece.size[1] / 2)
    if by_wall:
        wall = int(rng.integers(4))
        along = rng.uniform(half[0], max(half[0], size[1 if wall < 2 else 0] - half[0]))
        return piece, Footprint(*against(wall, size, along, piece.size[1]), half)
    passed = path.loop[int(rng.integers(len(path.loop)))]
    bearing, reach = rng.uniform(0, 2 * math.pi), rng.uniform(0.5, 1.5)
    x, y = passed + reach * np.array([math.cos(bearing), math.sin(bearing)])
    return piece, Footprint(float(x), float(y), rng.uniform(0, 2 * math.pi), half)


def rug(rng: Generator, palette: Palette, size: NDArray[np.float64]) -> list[Shape]:
    """None, or one flat on the floor."""
    if rng.random() < 0.5:
        return []
    half = rng.uniform(0.2, 0.35, 2) * size[:2]
    x, y = size[:2] * rng.uniform(0.4, 0.6, 2)
    material = palette.pick(rng, "rug")
    return [Box((float(x), float(y), 0.005), (float(half[0]), float(half[1]), 0.005), 0.0, material)]
