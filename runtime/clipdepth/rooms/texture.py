"""Textures that repeat: noise, wood, weave, checks, and pictures of doors, windows and books.

Every texture is (SIDE, SIDE, 3) float32 BGR in [0, 1] as shown on a screen, and wraps at its edges.
"""

import colorsys
import functools
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 256
Floats = NDArray[np.float32]
Generator = np.random.Generator


def colour(rng: Generator, value: tuple[float, float], saturation: tuple[float, float]) -> Floats:
    """(3,) float32 BGR in [0, 1], any hue."""
    red, green, blue = colorsys.hsv_to_rgb(rng.random(), rng.uniform(*saturation), rng.uniform(*value))
    return np.array([blue, green, red], np.float32)


def wood_colour(rng: Generator) -> Floats:
    """(3,) float32 BGR: from pale beech to dark walnut."""
    hue, value = rng.uniform(0.05, 0.1), rng.uniform(0.3, 0.85)
    red, green, blue = colorsys.hsv_to_rgb(hue, rng.uniform(0.3, 0.65), value)
    return np.array([blue, green, red], np.float32)


def noise(rng: Generator, columns: int, rows: int) -> Floats:
    """(SIDE, SIDE) float32 about 0 with deviation 1: a grid of random values, cubically interpolated."""
    grid = rng.standard_normal((rows, columns)).astype(np.float32)
    return np.asarray(spread(rows) @ grid @ spread(columns).T, np.float32)


@functools.cache
def spread(cells: int) -> Floats:
    """(SIDE, cells) float32: weights that interpolate a ring of `cells` values cubically."""
    ring = np.pad(np.eye(cells, dtype=np.float32), ((2, 2), (0, 0)), mode="wrap")
    step = SIDE // cells
    smooth = cv2.resize(ring, (cells, (cells + 4) * step), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth[2 * step :][:SIDE], np.float32).reshape(SIDE, cells)


def fractal(rng: Generator, cells: int = 4, octaves: int = 4) -> Floats:
    """(SIDE, SIDE) float32 about 0: noise whose strength halves as its detail doubles."""
    layers = [noise(rng, cells << k, cells << k) / np.float32(2**k) for k in range(octaves)]
    return np.asarray(np.sum(layers, axis=0), np.float32)


def ramps() -> tuple[Floats, Floats]:
    """The texture's x and y, each (SIDE, SIDE) float32 in [0, 1)."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / np.float32(SIDE)
    return x, y


def lit(base: Floats, factor: NDArray[np.floating[Any]]) -> Floats:
    """A colour (3,) or texture (SIDE, SIDE, 3), times a factor (SIDE, SIDE)."""
    return np.asarray(base * factor[..., None], np.float32)


def mix(first: Floats, second: Floats, share: NDArray[np.floating[Any]]) -> Floats:
    """Colours (3,) blended by a share (SIDE, SIDE) in [0, 1]."""
    return np.asarray(first + (second - first) * np.clip(share, 0, 1)[..., None], np.float32)


def lines(coordinate: Floats, count: int, width: float) -> Floats:
    """1 on `count` evenly spaced lines, 0 elsewhere, soft at the edges; `width` is a share of the spacing."""
    offset = np.abs((coordinate * count + 0.5) % 1 - 0.5)
    return np.asarray(np.clip((width - offset) * SIDE / count / 2 + 0.5, 0, 1), np.float32)


def plaster(rng: Generator) -> Floats:
    base = colour(rng, (0.55, 0.95), (0.0, 0.3))
    return lit(base, 1 + rng.uniform(0.02, 0.08) * fractal(rng, 4, 5))


def paint(rng: Generator) -> Floats:
    base = colour(rng, (0.15, 0.95), (0.1, 0.8))
    return lit(base, 1 + 0.05 * fractal(rng, 2, 4))


def wood(rng: Generator) -> Floats:
    x, y = ramps()
    base = wood_colour(rng)
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * int(rng.integers(5, 12)) * y + 2.5 * noise(rng, 2, 4))
    grain = 0.6 * wave + 0.25 * noise(rng, 4, 64)
    return mix(base, base * np.float32(rng.uniform(0.5, 0.75)), np.asarray(grain + 0 * x, np.float32))


def planks(rng: Generator) -> Floats:
    x, y = ramps()
    count = int(rng.choice([4, 5, 8]))
    row = np.minimum((y * count).astype(np.int64), count - 1)
    shade = rng.uniform(0.75, 1.1, count).astype(np.float32)[row]
    ends = lines(x + rng.random(count).astype(np.float32)[row], 1, 0.006)
    gaps = np.maximum(ends, lines(y, count, 0.035))
    return lit(wood(rng), shade * (1 - 0.6 * gaps))


def tiles(rng: Generator) -> Floats:
    x, y = ramps()
    count = int(rng.choice([2, 3, 4, 6]))
    base = lit(colour(rng, (0.4, 0.9), (0.0, 0.35)), 1 + 0.05 * fractal(rng))
    grout = np.maximum(lines(x, count, 0.03), lines(y, count, 0.03))
    return lit(base, 1 - rng.uniform(0.3, 0.6) * grout)


def checks(rng: Generator) -> Floats:
    x, y = ramps()
    count = int(rng.choice([1, 2, 3, 4]))
    wave = np.sin(2 * np.pi * count * x) * np.sin(2 * np.pi * count * y)
    share = 0.5 + np.clip(wave * SIDE / count / 12, -0.5, 0.5)
    pale, dark = colour(rng, (0.65, 0.95), (0.0, 0.3)), colour(rng, (0.2, 0.6), (0.1, 0.6))
    return lit(mix(pale, dark, share), 1 + 0.03 * fractal(rng))


def stripes(rng: Generator) -> Floats:
    x, _ = ramps()
    count = int(rng.choice([2, 3, 5, 8]))
    first = colour(rng, (0.5, 0.95), (0.05, 0.4))
    second = first * np.float32(rng.uniform(0.55, 0.9))
    share = 0.5 + np.clip(3 * np.sin(2 * np.pi * count * x), -0.5, 0.5)
    return lit(mix(first, second, share), 1 + 0.03 * fractal(rng))


def weave(rng: Generator) -> Floats:
    x, y = ramps()
    count = int(rng.choice([16, 24, 32]))
    thread = np.sin(2 * np.pi * count * x) * np.sin(2 * np.pi * count * y)
    base = colour(rng, (0.25, 0.9), (0.1, 0.7))
    return lit(base, 0.9 + 0.14 * thread + 0.06 * fractal(rng))


def carpet(rng: Generator) -> Floats:
    first, second = colour(rng, (0.25, 0.8), (0.05, 0.6)), colour(rng, (0.25, 0.8), (0.05, 0.6))
    contrast = rng.uniform(0.2, 0.6)
    fine = 1 + 0.1 * noise(rng, 64, 64) + 0.05 * noise(rng, 128, 128)
    return lit(mix(first, second, 0.5 + contrast * fractal(rng, 4, 3)), fine)


def marble(rng: Generator) -> Floats:
    vein = np.exp(-6 * np.abs(fractal(rng, 2, 5)))
    base = colour(rng, (0.5, 0.95), (0.0, 0.25))
    return mix(base, base * np.float32(rng.uniform(0.6, 0.85)), vein)


def picture(rng: Generator) -> Floats:
    """A framed abstract painting, for one face."""
    art = colour(rng, (0.3, 0.9), (0.1, 0.6)) * np.ones((SIDE, SIDE, 1), np.float32)
    for _ in range(4):
        blob = np.clip(0.5 + 4 * (fractal(rng, 2, 3) - rng.uniform(0.2, 0.9)), 0, 1)
        art = art + (colour(rng, (0.2, 1.0), (0.2, 0.9)) - art) * blob[..., None]
    art[edge(0.16) > 0] = rng.uniform(0.75, 0.95)
    art[edge(0.06) > 0] = wood_colour(rng) * 0.6
    return art


def window(rng: Generator) -> Floats:
    """Sky over blurred ground behind glazing bars, for one face."""
    x, y = ramps()
    horizon = rng.uniform(0.5, 0.8) + 0.06 * noise(rng, 8, 1)
    sky = mix(np.array([1, 0.9, 0.8], np.float32), np.array([1, 0.97, 0.95], np.float32), y)
    ground = lit(colour(rng, (0.3, 0.6), (0.2, 0.5)), 1 + 0.15 * fractal(rng))
    view: Floats = sky + (ground - sky) * np.clip((y - horizon) * 40, 0, 1)[..., None]
    bars = np.maximum(lines(x, int(rng.integers(1, 4)), 0.04), lines(y, int(rng.integers(1, 3)), 0.04))
    view = lit(view, 1 - bars) + np.float32(0.8) * bars[..., None]
    view[edge(0.05) > 0] = 0.75
    return view


def door(rng: Generator) -> Floats:
    """Sunk panels in a frame and a handle, for one face."""
    x, y = ramps()
    base = wood(rng) if rng.random() < 0.5 else plaster(rng)
    rows = int(rng.integers(1, 4))
    inner = np.maximum(np.abs(x - 0.5) * 2, np.abs((y * rows) % 1 - 0.5) * 2)
    base = lit(base, 1 - 0.4 * np.exp(-(((inner - 0.72) / 0.03) ** 2)))
    base[edge(0.05) > 0] *= 0.7
    base[(np.abs(x - 0.9) < 0.025) & (np.abs(y - 0.52) < 0.02)] = 0.25
    return base


def drawers(rng: Generator) -> Floats:
    """Drawer or cupboard fronts with knobs, for one face."""
    x, y = ramps()
    base = wood(rng) if rng.random() < 0.6 else paint(rng)
    columns, rows = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    gaps = np.maximum(lines(x, columns, 0.02), lines(y, rows, 0.03))
    base = lit(base, 1 - 0.6 * gaps)
    knob = (np.abs((x * columns) % 1 - 0.5) < 0.06) & (np.abs((y * rows) % 1 - 0.3) < 0.04)
    base[knob] = rng.choice([0.15, 0.8])
    return base


def books(rng: Generator) -> Floats:
    """A row of spines, for one face."""
    art = np.full((SIDE, SIDE, 3), 0.12, np.float32)
    left = 0
    while left < SIDE:
        right = min(SIDE, left + int(rng.integers(8, 26)))
        top = int(rng.integers(5, 90))
        art[top:, left : right - 1] = colour(rng, (0.2, 0.9), (0.1, 0.8))
        band = top + int(rng.integers(10, 60))
        art[band : band + 12, left : right - 1] *= 0.6
        left = right
    return art


def edge(width: float) -> NDArray[np.bool_]:
    """(SIDE, SIDE) bool: within `width` of the texture's border."""
    x, y = ramps()
    return np.asarray(np.maximum(np.abs(x - 0.5), np.abs(y - 0.5)) > 0.5 - width)


def make_texture(pattern: Callable[[Generator], Floats], rng: Generator) -> Floats:
    """Draw a pattern, then soften it so that nothing in it is finer than about two of its pixels."""
    padded = np.pad(pattern(rng).astype(np.float32), ((8, 8), (8, 8), (0, 0)), mode="wrap")
    return np.clip(cv2.GaussianBlur(padded, (0, 0), 0.9)[8:-8, 8:-8], 0, 1).astype(np.float32)
