"""Intrinsics of a RealSense camera as JSON: the fields of pyrealsense2's `intrinsics`, for one stream or several."""

from collections.abc import Mapping

from clipdepth.camera.files.content import Content
from clipdepth.camera.files.fields import Fields
from clipdepth.camera.lens import LensName
from clipdepth.camera.sized import SizedCamera

NAME = "intrinsics of a RealSense camera"
NUMBERED = (
    "none",
    "modified_brown_conrady",
    "inverse_brown_conrady",
    "ftheta",
    "brown_conrady",
    "kannala_brandt4",
)
"""The names of librealsense's rs2_distortion, by its numbers."""
# By its name 'inverse' takes bent pixels to straight ones, but librealsense bends with it (rs2_project_point_to_pixel):
# the coefficients are OpenCV's, save that p1 and p2 act on points that k1 to k3 have bent, hundredths of a pixel apart.
LENSES: dict[str, LensName] = {
    "none": "pinhole",
    "brown_conrady": "pinhole",
    "modified_brown_conrady": "pinhole",
    "inverse_brown_conrady": "pinhole",
    "kannala_brandt4": "fisheye",
}


def is_realsense(content: Content) -> bool:
    """Whether it has ppx and ppy, or a model with coeffs, of a stream or of several by name."""
    return any(_streams(found) for found in content.documents)


def read_realsense(content: Content) -> dict[str, SizedCamera]:
    """Read the streams, by their names; '' is the name of a single one."""
    found = next(found for found in content.documents if _streams(found))
    fields = Fields(f"{content.path} ({NAME})", found)
    return {name: _camera(fields.part(name) if name else fields) for name in _streams(found)}


def _streams(found: Mapping[str, object]) -> list[str]:
    if _is_stream(found):
        return [""]
    return [name for name, value in found.items() if isinstance(value, Mapping) and _is_stream(value)]


def _is_stream(found: Mapping[str, object]) -> bool:
    return "ppx" in found or "ppy" in found or ("model" in found and "coeffs" in found)


def _camera(fields: Fields) -> SizedCamera:
    size = fields.whole("width"), fields.whole("height")
    # Scripts that write the file often call the principal point as OpenCV does.
    centre = [fields.number(name if name in fields.values else other) for name, other in (("ppx", "cx"), ("ppy", "cy"))]
    model = _model(fields)
    coefficients = fields.numbers("coeffs") if model != "none" else ()
    return fields.camera(size, (fields.number("fx"), fields.number("fy"), *centre), coefficients, LENSES[model])


def _model(fields: Fields) -> str:
    """The model's name: of 'distortion.brown_conrady', 'Brown Conrady' or 4, brown_conrady."""
    written = fields.text("model")
    if written.isdigit() and int(written) < len(NUMBERED):
        written = NUMBERED[int(written)]
    model = written.lower().rpartition(".")[2].replace(" ", "_").replace("-", "_")
    if model not in LENSES:
        raise fields.error(
            "model",
            f"is {model}, a model that is not supported" if model else "is missing",
            f"take a stream with one of {', '.join(LENSES)}",
        )
    return model
