"""From shapes, textures and light to a picture: a ray through each pixel's centre, then deferred shading."""

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.rooms.atlas import Atlas
from clipdepth.rooms.light import CELLS, Lighting
from clipdepth.rooms.shapes import TINY, Shape
from clipdepth.rooms.surface import Face
from clipdepth.rooms.texture import SIDE

Floats = NDArray[np.float32]
NEAR = 0.02
"""Metres: what is nearer to the camera's plane is left out when a shape's place on screen is bounded."""
PAIRS = np.array(list(itertools.combinations(range(8), 2)))


@dataclass(frozen=True)
class Scene:
    """All that a picture of a room needs, set up once."""

    size: NDArray[np.float64]
    shapes: list[Shape]
    first_face: list[int]
    """For each shape, the number of its face 0 in `faces`; the shell's six come first."""
    bounds: NDArray[np.float64]
    """(shapes, 8, 3) float64, world metres."""
    table: Floats
    """(columns, faces) float32: what shading needs of each face, see `face_column`."""
    curved: NDArray[np.bool_]
    """(faces,)"""
    atlas: Atlas
    lighting: Lighting
    exposure: Floats
    """(3,) float32: factors on linear BGR, white balance included."""


def face_column(face: Face, number: int) -> list[float]:
    """A column of `Scene.table`: normal (3), texture u and v and baked light x and y (4 each), tile, texels
    a metre, glow. The groups of four are a plane's normal and offset: dot with the point, then add.
    """
    across, down = face.repeats
    row = 6 if number >= 6 else number
    lit = (CELLS / face.extent[0], CELLS / face.extent[1]) if number < 6 else (0.0, 0.0)
    middle = (CELLS + 1) / 2
    return [
        *face.normal,
        *affine(face.across * across, face.centre, 0.5),
        *affine(face.down * down, face.centre, 0.5),
        *affine(face.across * lit[0], face.centre, middle),
        *affine(face.down * lit[1], face.centre, middle + row * (CELLS + 2)),
        float(face.material.tile),
        max(across, down) * SIDE,
        face.material.glow,
    ]


def affine(slope: NDArray[np.float64], centre: NDArray[np.float64], value: float) -> list[float]:
    """The affine function with a slope (3,) and a value at `centre` (3,), as four coefficients."""
    return [*slope, value - float(slope @ centre)]


def cast(scene: Scene, pose: NDArray[np.float64], camera: Intrinsics) -> tuple[Floats, NDArray[np.int16], Floats]:
    """What each pixel's ray meets first: depth (H, W), face number (H, W), and ray directions (3, H, W)."""
    origin, rays = pose[:3, 3], ray_directions(pose, camera)
    depth, face = meet_shell(scene.size, origin, rays)
    for index, (left, top, right, bottom) in enumerate(windows(scene.bounds, pose, camera)):
        if left >= right or top >= bottom:
            continue
        area = np.s_[top:bottom, left:right]
        found, side = scene.shapes[index].meet(origin, rays[:, top:bottom, left:right])
        nearer = found < depth[area]
        np.copyto(depth[area], found, where=nearer)
        np.copyto(face[area], side + np.int16(scene.first_face[index]), where=nearer)
    return depth, face, rays


def ray_directions(pose: NDArray[np.float64], camera: Intrinsics) -> Floats:
    """(3, H, W) float32, world axes, of length 1 along the optical axis."""
    x = (np.arange(camera.width) - camera.cx) / camera.fx
    y = (np.arange(camera.height) - camera.cy) / camera.fy
    right, down, forward = pose[:3, 0], pose[:3, 1], pose[:3, 2]
    across, along = right[:, None] * x + forward[:, None], down[:, None] * y
    return np.asarray(across[:, None, :] + along[:, :, None], np.float32)


def meet_shell(
    size: NDArray[np.float64], origin: NDArray[np.float64], rays: Floats
) -> tuple[Floats, NDArray[np.int16]]:
    """Where rays from inside the room leave it: depth (H, W) and side 0..5 (H, W)."""
    depth = np.full(rays.shape[1:], np.inf, np.float32)
    face = np.zeros(rays.shape[1:], np.int16)
    for axis in range(3):
        along = np.where(np.abs(rays[axis]) < TINY, TINY, rays[axis])
        to_low, to_high = np.float32(-origin[axis]), np.float32(size[axis] - origin[axis])
        found = np.where(along > 0, to_high, to_low) / along
        nearer = found < depth
        np.copyto(depth, found, where=nearer)
        np.copyto(face, (2 * axis + (along > 0)).astype(np.int16), where=nearer)
    return depth, face


def windows(bounds: NDArray[np.float64], pose: NDArray[np.float64], camera: Intrinsics) -> list[list[int]]:
    """For hulls of corners (N, 8, 3): left, top, right and bottom pixel of what may show; empty if none."""
    seen = (bounds - pose[:3, 3]) @ pose[:3, :3]
    start, end = seen[:, PAIRS[:, 0]], seen[:, PAIRS[:, 1]]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (NEAR - start[..., 2:]) / (end[..., 2:] - start[..., 2:])
    crosses = (start[..., 2] < NEAR) != (end[..., 2] < NEAR)
    cut = np.where(crosses[..., None], start + np.where(crosses[..., None], share, 0) * (end - start), seen[:, :1])
    points = np.concatenate([seen, cut], axis=1)
    shown = points[..., 2] >= NEAR * 0.999
    z = np.where(shown, points[..., 2], 1)
    x, y = points[..., 0] / z * camera.fx + camera.cx, points[..., 1] / z * camera.fy + camera.cy
    low = [np.where(shown, v, np.inf).min(1) for v in (x, y)]
    high = [np.where(shown, v, -np.inf).max(1) for v in (x, y)]
    limits = np.array([camera.width, camera.height])[:, None]
    first = np.clip(np.floor(low) - 1, 0, limits)
    last = np.clip(np.ceil(high) + 2, 0, limits)
    corners: list[list[int]] = np.concatenate([first, last]).T.astype(np.int64).tolist()
    return corners


def shade(
    scene: Scene,
    camera: Intrinsics,
    origin: NDArray[np.float64],
    depth: Floats,
    face: NDArray[np.int16],
    rays: Floats,
) -> NDArray[np.uint8]:
    """The picture, (H, W, 3) uint8 BGR, of what `cast` found."""
    points = rays * depth + origin.astype(np.float32)[:, None, None]
    rows = np.take(scene.table, face, axis=1)
    normals, u, v = rows[:3], on_plane(rows[3:7], points), on_plane(rows[7:11], points)
    follow_curves(scene, face, points, normals, u, v)
    slant = np.abs(np.sum(normals * rays, 0)) / np.sqrt(np.sum(rays * rays, 0))
    footprint = rows[20] * depth / np.float32(camera.fx) / np.maximum(slant, np.float32(0.12))
    albedo = scene.atlas.sample(rows[19], u, v, footprint)
    share = cv2.remap(
        scene.lighting.baked, on_plane(rows[11:15], points), on_plane(rows[15:19], points), cv2.INTER_LINEAR
    )
    light = scene.lighting.at(points, normals, np.asarray(share, np.float32)) * scene.exposure
    return developed(albedo * (light * (1 - rows[21])[..., None] + rows[21][..., None]))


def follow_curves(scene: Scene, face: NDArray[np.int16], points: Floats, normals: Floats, u: Floats, v: Floats) -> None:
    """Overwrite normals (3, H, W) and texture repeats (H, W) where round sides are seen."""
    for shape, first in zip(scene.shapes, scene.first_face, strict=True):
        if not scene.curved[first]:
            continue
        y, x = np.nonzero(face == first)
        if y.size:
            normals[:, y, x], (u[y, x], v[y, x]) = shape.curve(points[:, y, x])


def on_plane(rows: Floats, points: Floats) -> Floats:
    """Affine functions (4, H, W) of points (3, H, W)."""
    return np.asarray(rows[0] * points[0] + rows[1] * points[1] + rows[2] * points[2] + rows[3], np.float32)


def developed(linear: Floats) -> NDArray[np.uint8]:
    """Linear BGR to 8 bits: bright parts are rolled off softly, and the display's gamma is taken as 2."""
    return np.asarray(np.sqrt(linear / (1 + np.square(linear)) ** 0.5) * 255 + 0.5, np.uint8)
