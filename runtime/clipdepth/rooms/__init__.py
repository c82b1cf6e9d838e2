"""Furnished rooms that are filmed with exact depth and pose: training data, test oracle, stand-in camera."""

from clipdepth.rooms.frame import RgbdFrame, default_intrinsics
from clipdepth.rooms.room import Room

__all__ = ["RgbdFrame", "Room", "default_intrinsics"]
