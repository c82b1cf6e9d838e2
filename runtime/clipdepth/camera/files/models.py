"""Which lens the names mean that tools give their models."""

from clipdepth.camera.files.fields import Fields
from clipdepth.camera.lens import LensName

NAMED: dict[str, LensName] = {
    "pinhole": "pinhole",
    "none": "pinhole",
    "plumb_bob": "pinhole",
    "rational_polynomial": "pinhole",
    "radtan": "pinhole",
    "radial-tangential": "pinhole",
    "brown_conrady": "pinhole",
    "equidistant": "fisheye",
    "equi": "fisheye",
    "fisheye": "fisheye",
    "fish_eye": "fisheye",
    "kannala_brandt4": "fisheye",
}
"""OpenCV's own two models under others' names."""
AMBIGUOUS = 4
"""This many coefficients may be k1, k2, p1, p2 of a pinhole or k1 to k4 of a fisheye lens."""
MARK = "fisheye_model"
"""0 or 1 in files of OpenCV's sample calibration.cpp; it may be added to any file."""
UNMARKED = (
    "is not marked: its 4 numbers may be k1, k2, p1, p2 of a pinhole or k1 to k4 of a fisheye lens",
    f"add the field {MARK} to the file, 0 for a pinhole (cv2.calibrateCamera) or 1 for a fisheye lens "
    "(cv2.fisheye.calibrate)",
)


def named_lens(fields: Fields, names: tuple[str, ...]) -> LensName | None:
    """The lens that fisheye_model or the first of those fields names; None where none of them is there.

    Raises SourceError for any of them that names another model.
    """
    lenses = []
    for name in names:
        model = fields.text(name)
        if not model:
            continue
        if model.lower() not in NAMED:
            raise fields.error(
                name,
                f"is {model}, a model of lenses that is not supported",
                "calibrate the camera with a pinhole or an equidistant (fisheye) model",
            )
        lenses.append(NAMED[model.lower()])
    if MARK in fields.values:
        return "fisheye" if fields.number(MARK) else "pinhole"
    return lenses[0] if lenses else None


def refuse_unmarked(fields: Fields, name: str, coefficients: tuple[float, ...]) -> None:
    """Raise SourceError where the coefficients in field `name` may be of either lens, and no field says which."""
    if len(coefficients) == AMBIGUOUS:
        raise fields.error(name, *UNMARKED)
