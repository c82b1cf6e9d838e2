"""A room to film, made from a number."""

import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.rooms.atlas import make_atlas
from clipdepth.rooms.frame import RgbdFrame
from clipdepth.rooms.layout import furnish, panels, shell_faces
from clipdepth.rooms.light import Lamp, Lighting, bake, grid, make_lamps
from clipdepth.rooms.palette import Palette, make_palette
from clipdepth.rooms.path import make_path
from clipdepth.rooms.render import Scene, cast, face_column, shade
from clipdepth.rooms.shapes import Shape, Sphere
from clipdepth.rooms.surface import Face

Generator = np.random.Generator


class Room:
    """A closed furnished room and an endless hand-held walk through it, both decided by `seed` alone.

    The world has z up, the floor at z = 0 and one corner of the room at the origin.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4)]
        self.size = room_size(streams[0])
        """Width, depth and height, (3,) float64, metres."""
        self.path = make_path(streams[0], self.size)
        palette = make_palette(streams[1])
        lamps = make_lamps(streams[2], self.size)
        self.shapes: list[Shape] = [
            *panels(streams[3], palette, self.size),
            *furnish(streams[3], palette, self.size, self.path),
            *lamp_globes(lamps, palette, self.size),
        ]
        shell = shell_faces(streams[3], palette, self.size)
        self._scene = make_scene(streams[2], self.size, self.shapes, shell, palette, lamps)

    def render(self, time: float, intrinsics: Intrinsics) -> RgbdFrame:
        """The view at `time` seconds along the walk; the same bits whatever was rendered before."""
        pose = self.path.pose(time)
        depth, face, rays = cast(self._scene, pose, intrinsics)
        frame = shade(self._scene, intrinsics, pose[:3, 3], depth, face, rays)
        return RgbdFrame(frame, depth, pose, intrinsics)


def room_size(rng: Generator) -> NDArray[np.float64]:
    """Width, depth and height of a room, (3,) float64, metres: box rooms to halls."""
    share = np.clip(rng.beta(0.5, 0.7) + rng.uniform(-0.3, 0.3, 2), 0, 1)
    floor = 2.5 + 9.0 * share
    return np.array([*floor, rng.uniform(2.3, 3.1)])


def lamp_globes(lamps: list[Lamp], palette: Palette, size: NDArray[np.float64]) -> list[Shape]:
    """A glowing ball at each lamp, held under the ceiling."""
    glow = palette.materials["lamp"][0]
    return [Sphere((float(x), float(y), float(size[2]) - 0.16), 0.12, glow) for x, y, _ in (k.position for k in lamps)]


def make_scene(
    rng: Generator,
    size: NDArray[np.float64],
    shapes: list[Shape],
    shell: list[Face],
    palette: Palette,
    lamps: list[Lamp],
) -> Scene:
    """Everything rendering needs, computed once."""
    faces, first_face = list(shell), []
    for shape in shapes:
        first_face.append(len(faces))
        faces += shape.faces
    lighting = make_lighting(rng, lamps, shell, shapes, size)
    table = np.array([face_column(face, number) for number, face in enumerate(faces)], np.float32).T
    return Scene(
        size=size,
        shapes=shapes,
        first_face=first_face,
        bounds=np.array([shape.bounds for shape in shapes]),
        table=np.ascontiguousarray(table),
        curved=np.array([face.curved for face in faces]),
        atlas=make_atlas(palette.textures),
        lighting=lighting,
        exposure=make_exposure(rng, lighting, shell),
    )


def make_lighting(
    rng: Generator, lamps: list[Lamp], shell: list[Face], shapes: list[Shape], size: NDArray[np.float64]
) -> Lighting:
    ambient = rng.uniform(0.25, 0.7) * (1 + rng.uniform(-0.12, 0.12, 3))
    return Lighting(lamps, ambient.astype(np.float32), bake(lamps, shell, shapes, size))


def make_exposure(rng: Generator, lighting: Lighting, shell: list[Face]) -> NDArray[np.float32]:
    """(3,) float32 BGR factors that bring the walls' mean light near 1, within what cameras get wrong."""
    levels = []
    for face in shell[:4]:
        points = np.moveaxis(grid(face), -1, 0).astype(np.float32)
        normals = np.broadcast_to(face.normal.astype(np.float32)[:, None, None], points.shape)
        levels.append(lighting.at(points, normals, np.ones((*points.shape[1:], 3), np.float32)).mean())
    balance = 1 + rng.uniform(-0.08, 0.08, 3)
    return np.asarray(rng.uniform(0.6, 1.2) / np.mean(levels) * balance, np.float32)
