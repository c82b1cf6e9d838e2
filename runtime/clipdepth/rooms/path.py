"""Where a phone held by someone walking through the room is, and where it looks."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOOP_POINTS = 2048
WALL_MARGIN = 0.5


@dataclass(frozen=True)
class Waves:
    """A sum of sines of time: smooth, endless, and never quite the same again."""

    amplitudes: NDArray[np.float64]
    rates: NDArray[np.float64]
    """Radians a second."""
    phases: NDArray[np.float64]

    def at(self, time: float) -> float:
        return float(np.sum(self.amplitudes * np.sin(self.rates * time + self.phases)))


def make_waves(rng: np.random.Generator, size: float, periods: tuple[float, float], count: int = 3) -> Waves:
    """`count` sines whose amplitudes add up to `size`, with periods drawn from a range of seconds."""
    shares = rng.uniform(0.3, 1.0, count)
    rates = 2 * math.pi / rng.uniform(*periods, count)
    return Waves(size * shares / shares.sum(), rates, rng.uniform(0, 2 * math.pi, count))


@dataclass(frozen=True)
class Path:
    """A closed loop walked endlessly, with the phone's height and turns on it."""

    loop: NDArray[np.float64]
    """(LOOP_POINTS + 1, 2) float64, world metres; the last point is the first."""
    speed: float
    """Metres a second, on average."""
    height: float
    """Metres above the floor, on average."""
    yaw: float
    """Radians: the look direction about which it turns."""
    pitch: float
    """Radians, negative for down."""
    pace: Waves
    bob: Waves
    turn: Waves
    nod: Waves
    roll: Waves
    tremor: tuple[Waves, Waves, Waves]

    @property
    def lowest(self) -> float:
        """Metres above the floor that it never goes below."""
        return self.height - float(self.bob.amplitudes.sum())

    def pose(self, time: float) -> NDArray[np.float64]:
        """Camera to world at `time` seconds, (4, 4) float64, metres, OpenCV axes."""
        pose = np.eye(4)
        pose[:3, :3] = rotation(
            self.yaw + self.turn.at(time) + self.tremor[0].at(time),
            self.pitch + self.nod.at(time) + self.tremor[1].at(time),
            self.roll.at(time) + self.tremor[2].at(time),
        )
        pose[:3, 3] = self.position(time)
        return pose

    def position(self, time: float) -> NDArray[np.float64]:
        """(3,) float64, world metres."""
        steps = np.linalg.norm(np.diff(self.loop, axis=0), axis=1)
        lengths = np.concatenate([[0.0], np.cumsum(steps)])
        walked = (self.speed * time + self.pace.at(time)) % lengths[-1]
        x, y = (float(np.interp(walked, lengths, self.loop[:, k])) for k in range(2))
        return np.array([x, y, self.height + self.bob.at(time)])


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Camera axes (right, down, forward) in columns, (3, 3) float64; yaw 0 looks along world x."""
    forward = np.array([math.cos(pitch) * math.cos(yaw), math.cos(pitch) * math.sin(yaw), math.sin(pitch)])
    level = np.array([math.sin(yaw), -math.cos(yaw), 0.0])
    steep = np.cross(forward, level)
    right = math.cos(roll) * level + math.sin(roll) * steep
    return np.stack([right, np.cross(forward, right), forward], axis=1)


def make_path(rng: np.random.Generator, size: NDArray[np.float64]) -> Path:
    """A path for an empty room of `size` (3,) metres; furniture is to keep clear of it."""
    yaw = rng.uniform(0, 2 * math.pi)
    low, high = walked_rectangle(rng, size[:2], yaw)
    top = min(1.7, size[2] - 0.75)
    degree = math.pi / 180
    return Path(
        loop=make_loop(rng, low, high),
        speed=rng.uniform(0.32, 0.5),
        height=rng.uniform(1.08, top - 0.12),
        yaw=yaw,
        pitch=rng.uniform(-32, 0) * degree,
        pace=make_waves(rng, 0.15, (5, 11)),
        bob=make_waves(rng, 0.1, (2, 9), 4),
        turn=make_waves(rng, rng.uniform(40, 150) * degree, (20, 50)),
        nod=make_waves(rng, rng.uniform(6, 16) * degree, (6, 15)),
        roll=make_waves(rng, rng.uniform(2, 6) * degree, (5, 12)),
        tremor=(
            make_waves(rng, 0.3 * degree, (0.4, 1.2)),
            make_waves(rng, 0.3 * degree, (0.4, 1.2)),
            make_waves(rng, 0.2 * degree, (0.4, 1.2)),
        ),
    )


def walked_rectangle(
    rng: np.random.Generator, size: NDArray[np.float64], yaw: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Opposite corners of the floor that is walked, each (2,).

    Most of what is left to furniture lies ahead: whoever films a room stands back.
    """
    spare = size - 2 * WALL_MARGIN
    ahead = np.array([math.cos(yaw), math.sin(yaw)])
    taken = np.stack([np.maximum(-ahead, 0), np.maximum(ahead, 0)]) * rng.uniform(0.05, 0.5, (2, 2))
    taken = (taken + rng.uniform(0, 0.2, (2, 2))) * spare
    return WALL_MARGIN + taken[0], size - WALL_MARGIN - taken[1]


def make_loop(rng: np.random.Generator, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """A smooth closed curve that touches all four sides of a rectangle, (LOOP_POINTS + 1, 2)."""
    angle = np.linspace(0, 2 * math.pi, LOOP_POINTS + 1)
    order = np.arange(1, 4)[:, None]
    phases = rng.uniform(0, 2 * math.pi, (2, 3, 1))
    strength = rng.uniform(0.3, 1.0, (2, 3, 1)) / order**1.5
    curve = np.sum(strength * np.cos(order * angle + phases), axis=1).T
    least, most = curve.min(0), curve.max(0)
    loop = low + (curve - least) / (most - least) * (high - low)
    loop[-1] = loop[0]
    return np.asarray(loop, np.float64)
