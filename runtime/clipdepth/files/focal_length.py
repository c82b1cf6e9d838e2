"""The focal length that a picture's or a video's own data states, in pixels of that picture."""

import math

from clipdepth.files.exif import Exif, read_exif

FILM_DIAGONAL = math.hypot(36, 24)
"""Of a 35 mm film's picture, mm: CIPA DCG-001 compares the angles that two cameras see across their diagonals."""
SHORTEST, LONGEST = 4.0, 4000.0
"""Of what a lens can be, in mm of 35 mm film; anything else is a mistake."""
ASPECT_TOLERANCE = 0.01
WIDEST = 3.0
"""A picture of which one side is longer than so many times the other was joined from several: no lens took it."""
_UNITS = {2: 25.4, 3: 10.0, 4: 1.0, 5: 1e-3}
"""FocalPlaneResolutionUnit in mm; 4 and 5 stand in no standard, but in files."""


def picture_focal(data: bytes, width: int, height: int) -> float | None:
    """The focal length that a picture file's EXIF states, in pixels of the decoded picture, `width` × `height`.

    None where it states none, or where the picture has another shape than the one that the camera wrote: it was cropped
    since then. Upright or lying does not matter.
    """
    exif = read_exif(data)
    if not _is_whole(exif, width, height):
        return None
    return focal_of_35mm(exif.focal_35mm or _of_sensor(exif), width, height)


def focal_of_35mm(millimetres: float, width: int, height: int) -> float | None:
    """From a focal length in mm of 35 mm film, by the diagonal, to pixels of a picture; None for what cannot be."""
    return millimetres / FILM_DIAGONAL * math.hypot(width, height) if SHORTEST <= millimetres <= LONGEST else None


def _of_sensor(exif: Exif) -> float:
    """The lens's own focal length in mm of 35 mm film; 0 where the sensor's size is not known.

    A digital zoom enlarges the middle of what the sensor saw, which neither the lens nor the sensor's size tells.
    """
    unit = _UNITS.get(round(exif.unit or 2))
    if unit is None or not (exif.focal_mm > 0 and exif.pixels_per_unit > 0 and exif.width > 0 and exif.height > 0):
        return 0.0
    diagonal = math.hypot(exif.width, exif.height) / exif.pixels_per_unit * unit
    return exif.focal_mm / diagonal * FILM_DIAGONAL * max(exif.digital_zoom, 1.0)


def _is_whole(exif: Exif, width: int, height: int) -> bool:
    """Whether a picture has the shape that the camera gave it, as far as that is told, and is one lens's."""
    aspect = max(width, height) / min(width, height)
    if aspect > WIDEST:
        return False
    if not (exif.width > 0 and exif.height > 0):
        return True
    told = max(exif.width, exif.height) / min(exif.width, exif.height)
    return abs(aspect / told - 1) <= ASPECT_TOLERANCE
