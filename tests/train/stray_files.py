"""Recordings of Stray Scanner in miniature."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from clipdepth.rooms.frame import RgbdFrame
from train.dataset_files import picture, ramp, write, write_text

WIDTH, HEIGHT = 64, 48
"""Of the depth; the video is twice as large, its focal length 100 pixels."""


def write_recording(folder: Path, frames: int, cameras: bool = False, views: Sequence[RgbdFrame] = ()) -> Path:
    """A film whose red grows, with depth whose first row has confidence 0; with `cameras` the focal length grows.

    Or the first so many `views`, in a film twice as large, with their own camera.
    """
    folder.mkdir(parents=True)
    width, height = (views[0].frame.shape[1], views[0].frame.shape[0]) if views else (WIDTH, HEIGHT)
    film = cv2.VideoWriter(str(folder / "rgb.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 60, (2 * width, 2 * height))
    confidence = np.full((height, width), 2, np.uint8)
    confidence[0] = 0
    lines = ["timestamp, frame, x, y, z, qx, qy, qz, qw" + (", fx, fy, cx, cy" if cameras else "")]
    for index in range(frames):
        depth = np.rint(views[index].depth * 1000) if views else ramp(1000 + 10 * index, width, height)
        seen = views[index].frame if views else picture(20 * index, width, height)[..., ::-1]
        film.write(cv2.resize(seen, (2 * width, 2 * height), interpolation=cv2.INTER_NEAREST))
        write(folder / "depth" / f"{index:06d}.png", depth.astype(np.uint16))
        write(folder / "confidence" / f"{index:06d}.png", confidence)
        camera = f", {100 + index}, {100 + index}, 63.5, 47.5" if cameras else ""
        lines.append(f"{index / 60}, {index:06d}, 0, 0, 0, 0, 0, 0, 1{camera}")
    film.release()
    write_text(folder / "odometry.csv", "\n".join(lines) + "\n")
    focal = 2 * views[0].intrinsics.fx if views else 100.0
    matrix = f"{focal}, 0.0, {width - 0.5}\n0.0, {focal}, {height - 0.5}\n0.0, 0.0, 1.0\n"
    write_text(folder / "camera_matrix.csv", matrix)
    return folder
