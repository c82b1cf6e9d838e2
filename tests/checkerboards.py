"""Pictures of a checkerboard through a known lens, drawn pixel by pixel by formulas that share no code with OpenCV."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
COLUMNS, ROWS, SQUARE = 8, 5, 0.03


@dataclass(frozen=True)
class DrawnCamera:
    """A pinhole behind a lens: Brown's k1, k2, p1, p2, k3, or Kannala and Brandt's k1 to k4 with `fisheye`."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    lens: tuple[float, ...]
    fisheye: bool = False

    def rays(self) -> Array:
        """Rays (x, y, 1) of all pixels, (H, W, 3)."""
        x, y = np.meshgrid(np.arange(self.width, dtype=np.float64), np.arange(self.height, dtype=np.float64))
        bent = np.stack([(x - self.cx) / self.fx, (y - self.cy) / self.fy], -1)
        straight = self._straight_fisheye(bent) if self.fisheye else self._straight(bent)
        return np.concatenate([straight, np.ones_like(x)[..., None]], -1)

    def _straight(self, bent: Array) -> Array:
        k1, k2, p1, p2, k3 = self.lens
        found = bent.copy()
        for _ in range(40):
            x, y = found[..., 0], found[..., 1]
            r2 = x * x + y * y
            radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
            aside = np.stack([2 * p1 * x * y + p2 * (r2 + 2 * x * x), p1 * (r2 + 2 * y * y) + 2 * p2 * x * y], -1)
            found = (bent - aside) / radial[..., None]
        return found

    def _straight_fisheye(self, bent: Array) -> Array:
        reach = np.linalg.norm(bent, axis=-1)
        angle = reach.copy()
        for _ in range(40):
            angle = reach / (1 + sum(k * angle ** (2 * n + 2) for n, k in enumerate(self.lens)))
        return bent * (np.tan(np.minimum(angle, 1.5)) / np.maximum(reach, 1e-12))[..., None]

    def draw(self, rays: Array, rotation: Array, translation: Array) -> NDArray[np.uint8]:
        """The board, turned by `rotation`, (3, 3), and moved by `translation`, (3,) metres; (H, W, 3) uint8 BGR."""
        normal = rotation[:, 2]
        along = (normal @ translation) / (rays @ normal)
        place = (rays * along[..., None] - translation) @ rotation / SQUARE
        (u, wide), (v, high) = ((place[..., axis], _footprint(place[..., axis])) for axis in (0, 1))
        # A pixel gets the mean of what lies in it: no corner depends on where the grid of pixels falls.
        board = _inside(u, wide, -1, COLUMNS) * _inside(v, high, -1, ROWS)
        paper = _inside(u, wide, -1.6, COLUMNS + 0.6) * _inside(v, high, -1.6, ROWS + 0.6)
        squares = 127.5 + 102.5 * _stripes(u, wide) * _stripes(v, high)
        grey = 120 + paper * (board * squares + (1 - board) * 230 - 120)
        grey[along < 0] = 120
        noisy = grey + np.random.default_rng(0).normal(0, 2, grey.shape)
        return np.repeat(noisy.clip(0, 255).astype(np.uint8)[..., None], 3, -1)


def _footprint(place: Array) -> Array:
    down, across = np.gradient(place)
    return np.asarray(np.maximum(np.abs(down) + np.abs(across), 1e-9))


def _inside(place: Array, footprint: Array, start: float, end: float) -> Array:
    """The share of a pixel that lies between two lines of the board."""
    return np.asarray(np.minimum((place - start) / footprint + 0.5, (end - place) / footprint + 0.5).clip(0, 1))


def _stripes(place: Array, footprint: Array) -> Array:
    """The mean, over a pixel, of stripes that are 1 from 0 to 1, -1 from 1 to 2, and so on."""

    def integral(at: Array) -> Array:
        return np.asarray(1 - np.abs(at % 2 - 1))

    mean = (integral(place + footprint / 2) - integral(place - footprint / 2)) / footprint
    return np.asarray(mean)


def turned(across: float, down: float, around: float) -> Array:
    """A rotation by degrees about x, then y, then z."""
    a, b, c = np.radians([across, down, around])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def poses(camera: DrawnCamera, *, tilt: float = 32, far: float = 1.0) -> Iterator[tuple[Array, Array]]:
    """Boards all over the picture, tilted to all sides by `tilt` degrees, and four that fill more of it."""
    rays = camera.rays()[..., :2]
    centre = np.array([(COLUMNS - 1) / 2, (ROWS - 1) / 2, 0]) * SQUARE
    ways = ((1, 0), (-1, 0), (0, 1), (0, -1), (0.7, 0.7), (-0.7, 0.7), (0.7, -0.7))
    places = [(x, y, 0.5) for y in (0.24, 0.5, 0.76) for x in (0.2, 0.4, 0.6, 0.8)]
    places += [(x, y, 0.5) for x in (0.27, 0.73) for y in (0.33, 0.67)]
    places += [(0.5, 0.5, 0.38), (0.45, 0.5, 0.34), (0.55, 0.45, 0.36), (0.5, 0.55, 0.33)]
    places += [(0.15, 0.2, 0.6), (0.85, 0.2, 0.6), (0.15, 0.8, 0.6), (0.85, 0.8, 0.6)]
    for number, (x, y, distance) in enumerate(places):
        across, down = ways[number % len(ways)]
        rotation = turned(across * tilt, down * tilt, (number % 5 - 2) * 6)
        ray = np.append(rays[round(y * (camera.height - 1)), round(x * (camera.width - 1))], 1)
        yield rotation, ray * distance * far - rotation @ centre


def views(camera: DrawnCamera, *, tilt: float = 32, far: float = 1.0) -> list[NDArray[np.uint8]]:
    """A picture of each of `poses`."""
    rays = camera.rays()
    return [camera.draw(rays, *pose) for pose in poses(camera, tilt=tilt, far=far)]
