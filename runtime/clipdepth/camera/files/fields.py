"""The typed fields of one camera in a file, and errors that name file, kind and field."""

import math
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clipdepth.camera.lens import LensName
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import SizedCamera
from clipdepth.errors import SourceError
from clipdepth.files.foreign import shortened, shown


@dataclass(frozen=True)
class Fields:
    """What a file of some kind says of one camera; every method raises SourceError for what cannot be."""

    where: str
    """The file and its kind, for errors."""
    values: Mapping[str, Any]
    within: str = ""
    """What stands before the names of its fields in errors, such as 'cam0.'."""
    remedy: str = "write it again with the tool that made it"

    def part(self, name: str) -> "Fields":
        """The fields of a mapping within."""
        found = self.values.get(name)
        if not isinstance(found, Mapping):
            raise self.error(name, "is no mapping" if name in self.values else "is missing")
        return Fields(self.where, found, f"{self.within}{name}.", self.remedy)

    def whole(self, name: str) -> int:
        """A whole number above 0."""
        found = _number(self.values.get(name))
        if found is None or not found.is_integer() or found <= 0:
            raise self.error(name, f"{self._quoted(name)}, not a whole number above 0")
        return int(found)

    def size(self, name: str) -> tuple[int, int]:
        """A list of two whole numbers above 0."""
        width, height = self.numbers(name, 2)
        if not (width.is_integer() and height.is_integer() and min(width, height) > 0):
            raise self.error(name, f"{self._quoted(name)}, not two whole numbers above 0")
        return int(width), int(height)

    def number(self, name: str) -> float:
        """A finite number."""
        found = _number(self.values.get(name))
        if found is None:
            raise self.error(name, f"{self._quoted(name)}, not a number")
        return found

    def numbers(self, name: str, count: int | None = None) -> tuple[float, ...]:
        """A list of finite numbers, `count` of them where it is given."""
        found = self.values.get(name)
        listed = list(found) if isinstance(found, Sequence) and not isinstance(found, str) else [None]
        numbers = [number for number in map(_number, listed) if number is not None]
        if len(numbers) != len(listed) or (count is not None and len(numbers) != count):
            raise self.error(name, f"{self._quoted(name)}, not {count or 'a list of'} numbers")
        return tuple(numbers)

    def text(self, name: str) -> str:
        """Text; empty where the field is missing."""
        found = self.values.get(name)
        if found is None:
            return ""
        return str(found).strip() if isinstance(found, (str, int, float)) else _quoted(found)

    def camera(
        self, size: tuple[int, int], pinhole: Sequence[float], coefficients: Sequence[float], lens: LensName
    ) -> SizedCamera:
        """The camera of pictures of (width, height), with fx, fy, cx, cy and distortion."""
        fx, fy, cx, cy = pinhole
        try:
            return SizedCamera(Intrinsics(*size, fx, fy, cx, cy), _without_padding(coefficients, lens), lens)
        except SourceError as error:
            at = f"camera {shown(self.within.rstrip('.'))}: " if self.within else ""
            raise SourceError(f"{self.where}: {at}{error}") from None

    def error(self, name: str, problem: str, remedy: str = "") -> SourceError:
        """What is wrong with a field, in one line."""
        problem = shown(f"field {self.within}{name} {problem}")
        return SourceError(f"{self.where}: {problem}; {remedy or self.remedy}")

    def _quoted(self, name: str) -> str:
        return f"is {_quoted(self.values[name])}" if name in self.values else "is missing"


def _quoted(found: object) -> str:
    # A few lines of YAML that name one another may stand for gigabytes of text.
    return shortened(reprlib.repr(found), 60)


def _number(found: object) -> float | None:
    """A number as YAML has it; PyYAML takes '1e-05' for text, though yaml-cpp writes it for a number."""
    if isinstance(found, bool) or not isinstance(found, (int, float, str)):
        return None
    try:
        value = float(found)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _without_padding(coefficients: Sequence[float], lens: LensName) -> tuple[float, ...]:
    """A fisheye lens's four coefficients, which some drivers pad with 0 to the five of their messages."""
    padded = lens == "fisheye" and len(coefficients) > 4 and not any(coefficients[4:])
    return tuple(coefficients[:4] if padded else coefficients)
