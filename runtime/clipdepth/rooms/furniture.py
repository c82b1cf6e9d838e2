"""Things to stand in a room, each built of boxes, cylinders and spheres.

A piece stands on the floor about the origin, `size` metres wide (x), deep (y) and high (z), its back
towards +y.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clipdepth.rooms.palette import Palette
from clipdepth.rooms.shapes import Box, Cylinder, Shape, Sphere, Vector
from clipdepth.rooms.surface import Material

Generator = np.random.Generator


@dataclass(frozen=True)
class Piece:
    """One thing, not yet placed."""

    shapes: list[Shape]
    size: Vector

    @property
    def top(self) -> float:
        """Metres above the floor that it reaches, with what stands on it."""
        return max(float(shape.bounds[:, 2].max()) for shape in self.shapes)


def block(low: Vector, high: Vector, material: Material, front: Material | None = None) -> Box:
    """The level box between two corners, metres."""
    centre = tuple((a + b) / 2 for a, b in zip(low, high, strict=True))
    half = tuple((b - a) / 2 for a, b in zip(low, high, strict=True))
    return Box((centre[0], centre[1], centre[2]), (half[0], half[1], half[2]), 0.0, material, front)


def table(rng: Generator, palette: Palette) -> Piece:
    w, d = rng.uniform(0.7, 1.8), rng.uniform(0.5, 0.95)
    h = rng.choice([rng.uniform(0.35, 0.5), rng.uniform(0.68, 0.8)])
    top, leg = palette.pick(rng, "wood"), palette.pick(rng, str(rng.choice(["wood", "paint"])))
    thick, foot = rng.uniform(0.03, 0.06), rng.uniform(0.04, 0.08)
    x, y = w / 2 - foot, d / 2 - foot
    legs: list[Shape] = [
        block((cx - foot / 2, cy - foot / 2, 0), (cx + foot / 2, cy + foot / 2, h - thick), leg)
        for cx in (-x, x)
        for cy in (-y, y)
    ]
    slab = block((-w / 2, -d / 2, h - thick), (w / 2, d / 2, h), top)
    return Piece([slab, *legs, *clutter(rng, palette, w, d, h)], (w, d, h))


def desk_chair(rng: Generator, palette: Palette) -> Piece:
    w, d, seat, h = (
        rng.uniform(0.4, 0.5),
        rng.uniform(0.4, 0.5),
        rng.uniform(0.42, 0.5),
        rng.uniform(0.8, 1.0),
    )
    cloth, frame = palette.pick(rng, "cloth"), palette.pick(rng, "wood")
    x, y = w / 2 - 0.03, d / 2 - 0.03
    legs: list[Shape] = [Cylinder((cx, cy, seat / 2), 0.02, seat / 2, frame) for cx in (-x, x) for cy in (-y, y)]
    back = block((-w / 2, d / 2 - 0.05, seat + 0.08), (w / 2, d / 2, h), cloth)
    return Piece([block((-w / 2, -d / 2, seat - 0.05), (w / 2, d / 2, seat), cloth), back, *legs], (w, d, h))


def shelf(rng: Generator, palette: Palette) -> Piece:
    w, d, h = rng.uniform(0.6, 1.4), rng.uniform(0.25, 0.4), rng.uniform(0.9, 2.1)
    wood, back = palette.pick(rng, "wood"), palette.pick(rng, "paint")
    count, t = max(2, round(h / rng.uniform(0.32, 0.45))), 0.025
    boards: list[Shape] = [
        block((-w / 2, d / 2 - 0.02, 0), (w / 2, d / 2, h), back),
        block((-w / 2, -d / 2, 0), (-w / 2 + t, d / 2 - 0.02, h), wood),
        block((w / 2 - t, -d / 2, 0), (w / 2, d / 2 - 0.02, h), wood),
    ]
    for z in np.linspace(0.04, h - t, count):
        boards.append(block((-w / 2 + t, -d / 2, z), (w / 2 - t, d / 2 - 0.02, z + t), wood))
    step = (h - t - 0.04) / (count - 1)
    for k in range(count - 1):
        if rng.random() < 0.6:
            end = rng.uniform(-0.1, w / 2 - t)
            low = (-w / 2 + t, -d / 2 + rng.uniform(0.02, 0.1), 0.04 + t + k * step)
            top = low[2] + (step - t) * rng.uniform(0.65, 0.95)
            boards.append(block(low, (end, d / 2 - 0.03, top), wood, palette.pick(rng, "books")))
    return Piece(boards, (w, d, h))


def cupboard(rng: Generator, palette: Palette) -> Piece:
    w, d = rng.uniform(0.5, 1.8), rng.uniform(0.35, 0.65)
    h = rng.choice([rng.uniform(0.45, 1.0), rng.uniform(1.5, 2.15)])
    front = palette.pick(rng, "drawers")
    body = block((-w / 2, -d / 2, 0.06), (w / 2, d / 2, h), palette.pick(rng, "wood"), front)
    plinth = block((-w / 2 + 0.03, -d / 2 + 0.04, 0), (w / 2 - 0.03, d / 2, 0.06), palette.pick(rng, "paint"))
    things = clutter(rng, palette, w, d, h) if h < 1.2 else []
    return Piece([body, plinth, *things], (w, d, h))


def bed(rng: Generator, palette: Palette) -> Piece:
    w, d, h = rng.uniform(0.9, 1.8), rng.uniform(1.9, 2.1), rng.uniform(0.4, 0.55)
    frame, sheet = palette.pick(rng, "wood"), palette.pick(rng, "cloth")
    cover = palette.pick(rng, "cloth")
    head = rng.uniform(0.7, 1.1)
    shapes: list[Shape] = [
        block((-w / 2, -d / 2, 0.1), (w / 2, d / 2, h - 0.2), frame),
        block((-w / 2 + 0.03, -d / 2 + 0.03, h - 0.2), (w / 2 - 0.03, d / 2 - 0.06, h - 0.02), sheet),
        block((-w / 2 + 0.01, -d / 2 + 0.01, h - 0.14), (w / 2 - 0.01, d / 2 - 0.65, h), cover),
        block((-w / 2, d / 2 - 0.05, 0), (w / 2, d / 2, head), frame),
    ]
    pillow = palette.pick(rng, "paint")
    for x in (-w / 4, w / 4) if w > 1.3 else (0.0,):
        shapes.append(block((x - 0.28, d / 2 - 0.52, h - 0.02), (x + 0.28, d / 2 - 0.1, h + 0.1), pillow))
    return Piece(shapes, (w, d, head))


def sofa(rng: Generator, palette: Palette) -> Piece:
    w, d, seat = rng.uniform(0.85, 2.3), rng.uniform(0.75, 0.95), rng.uniform(0.36, 0.46)
    h, cloth = seat + rng.uniform(0.35, 0.5), palette.pick(rng, "cloth")
    cushion = palette.pick(rng, "cloth")
    arm = rng.uniform(0.12, 0.2)
    shapes: list[Shape] = [
        block((-w / 2, -d / 2 + 0.02, 0.06), (w / 2, d / 2, seat - 0.12), cloth),
        block((-w / 2, d / 2 - 0.2, seat - 0.12), (w / 2, d / 2, h), cloth),
        block((-w / 2, -d / 2, 0.06), (-w / 2 + arm, d / 2 - 0.2, seat + 0.18), cloth),
        block((w / 2 - arm, -d / 2, 0.06), (w / 2, d / 2 - 0.2, seat + 0.18), cloth),
    ]
    edges = np.linspace(-w / 2 + arm, w / 2 - arm, max(2, round(w / 0.7) + 1))
    for left, right in zip(edges[:-1] + 0.01, edges[1:] - 0.01, strict=True):
        shapes.append(block((left, -d / 2 + 0.01, seat - 0.12), (right, d / 2 - 0.2, seat), cushion))
    return Piece(shapes, (w, d, h))


def stack(rng: Generator, palette: Palette) -> Piece:
    w, d, h = rng.uniform(0.35, 0.7), rng.uniform(0.3, 0.6), rng.uniform(0.25, 0.5)
    shapes: list[Shape] = [block((-w / 2, -d / 2, 0), (w / 2, d / 2, h), palette.pick(rng, "paint"))]
    size = min(w, d)
    for _ in range(int(rng.integers(0, 3))):
        size *= rng.uniform(0.6, 0.9)
        rise = rng.uniform(0.15, 0.4)
        kind = str(rng.choice(["paint", "wood", "cloth"]))
        half = (size / 2, size / 2 * rng.uniform(0.7, 1.0), rise / 2)
        shapes.append(Box((0.0, 0.0, h + rise / 2), half, rng.uniform(-0.5, 0.5), palette.pick(rng, kind)))
        h += rise
    return Piece(shapes, (w, d, h))


def round_table(rng: Generator, palette: Palette) -> Piece:
    r, h = rng.uniform(0.28, 0.6), rng.uniform(0.45, 0.78)
    wood, leg = palette.pick(rng, "wood"), palette.pick(rng, "paint")
    shapes: list[Shape] = [
        Cylinder((0, 0, h - 0.02), r, 0.02, wood),
        Cylinder((0, 0, h / 2), 0.04, h / 2 - 0.04, leg),
        Cylinder((0, 0, 0.02), r * 0.6, 0.02, leg),
    ]
    return Piece([*shapes, *clutter(rng, palette, r, r, h)], (2 * r, 2 * r, h))


def bin_or_stool(rng: Generator, palette: Palette) -> Piece:
    r, h = rng.uniform(0.13, 0.28), rng.uniform(0.3, 0.6)
    kind = str(rng.choice(["cloth", "paint", "wood"]))
    return Piece([Cylinder((0, 0, h / 2), r, h / 2, palette.pick(rng, kind))], (2 * r, 2 * r, h))


def floor_lamp(rng: Generator, palette: Palette) -> Piece:
    h, r = rng.uniform(1.4, 1.75), rng.uniform(0.14, 0.2)
    pole = palette.pick(rng, "wood")
    shapes: list[Shape] = [
        Cylinder((0, 0, 0.015), 0.14, 0.015, pole),
        Cylinder((0, 0, h / 2), 0.015, h / 2, pole),
        Cylinder((0, 0, h - 0.14), r, 0.14, palette.pick(rng, "cloth")),
    ]
    return Piece(shapes, (2 * r, 2 * r, h))


def plant(rng: Generator, palette: Palette) -> Piece:
    r, h = rng.uniform(0.12, 0.2), rng.uniform(0.2, 0.4)
    crown, leaf = rng.uniform(0.18, 0.3), palette.pick(rng, "cloth")
    shapes: list[Shape] = [
        Cylinder((0, 0, h / 2), r, h / 2, palette.pick(rng, "paint")),
        Cylinder((0, 0, h + 0.1), 0.02, 0.12, palette.pick(rng, "wood")),
        Sphere((0, 0, h + 0.15 + crown), crown, leaf),
    ]
    return Piece(shapes, (2 * crown, 2 * crown, h + 0.15 + 2 * crown))


def ball(rng: Generator, palette: Palette) -> Piece:
    r = rng.uniform(0.1, 0.35)
    return Piece([Sphere((0, 0, r), r, palette.pick(rng, "cloth"))], (2 * r, 2 * r, 2 * r))


def clutter(rng: Generator, palette: Palette, w: float, d: float, top: float) -> list[Shape]:
    """Small things standing on a surface `w` × `d` metres at height `top`."""
    things: list[Shape] = []
    slots = np.linspace(-w / 2, w / 2, max(2, int(w / 0.3) + 1))
    for left, right in itertools.pairwise(slots):
        spot = ((left + right) / 2, rng.uniform(-0.15, 0.15) * d)
        reach = min((right - left) / 2, 0.3 * d) * rng.uniform(0.4, 0.85)
        things.append(trinket(rng, palette, spot, reach, top))
    return [thing for thing in things if rng.random() < 0.45]


def trinket(rng: Generator, palette: Palette, spot: tuple[float, float], reach: float, top: float) -> Shape:
    paint = palette.pick(rng, str(rng.choice(["paint", "cloth", "wood", "books"])))
    h = rng.uniform(0.03, 0.32)
    kind = rng.random()
    if kind < 0.55 or paint.fit:
        half = (reach * 0.75, reach * rng.uniform(0.3, 0.65), h / 2)
        return Box((*spot, top + h / 2), half, rng.uniform(-0.6, 0.6), paint)
    if kind < 0.85:
        return Cylinder((*spot, top + h / 2), min(reach, 0.1), h / 2, paint)
    return Sphere((*spot, top + min(reach, 0.12)), min(reach, 0.12), paint)


Maker = Callable[[Generator, Palette], Piece]
AGAINST_WALLS: tuple[Maker, ...] = (
    table,
    shelf,
    shelf,
    cupboard,
    cupboard,
    bed,
    sofa,
    stack,
    floor_lamp,
    plant,
)
FREE_STANDING: tuple[Maker, ...] = (
    table,
    round_table,
    desk_chair,
    desk_chair,
    stack,
    bin_or_stool,
    ball,
    plant,
)
