"""Depth as clients want it: 16-bit PNG, NPY or points in JSON."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO

import msgspec
import numpy as np
from starlette.datastructures import Headers, QueryParams

from clipdepth.frame import DepthFrame
from clipdepth.sinks.depth_png import write_png
from clipdepth.web.service.limits import MAX_POINTS
from clipdepth.web.service.refused import Refused

STEP = 8
"""How many pixels across and down share a point, where nobody says."""


@dataclass(frozen=True)
class Form:
    """A form of the answer."""

    media_type: str
    unit: str
    encode: Callable[[DepthFrame, int], bytes]
    """Takes the step of points too. Raises as `DepthFrame.metres` and `points`."""


def png(frame: DepthFrame, step: int) -> bytes:
    """Depth as a 16-bit PNG of millimetres; 0 is unknown."""
    file = BytesIO()
    write_png(frame, file)
    return file.getvalue()


def npy(frame: DepthFrame, step: int) -> bytes:
    """Depth as NumPy's file of an array, (H, W) float32 metres."""
    file = BytesIO()
    np.save(file, frame.metres, allow_pickle=False)
    return file.getvalue()


def points(frame: DepthFrame, step: int) -> bytes:
    """The middle pixel of each `step` × `step` as a point, metres: x to the right, y down, z ahead.

    Pixels without depth are left out. Raises Refused for more than MAX_POINTS.
    """
    height, width = frame.image.shape[:2]
    middle = slice(step // 2, None, step)
    count = len(range(height)[middle]) * len(range(width)[middle])
    if count > MAX_POINTS:
        raise Refused(
            400, "unsuitable", f"step={step} gives {count:,} points, more than {MAX_POINTS:,}; give a larger step"
        )
    found = frame.points(middle)[:, middle].reshape(-1, 3)
    known = found[np.isfinite(found).all(axis=1) & (found[:, 2] > 0)]
    return msgspec.json.encode(
        {
            "unit": "m",
            "height": height,
            "width": width,
            "step": step,
            "camera": camera_of(frame),
            "points": np.round(known.astype(np.float64), 4).tolist(),
        }
    )


FORMS = {
    "png": Form("image/png", "mm", png),
    "npy": Form("application/x-npy", "m", npy),
    "json": Form("application/json", "m", points),
}
"""By their names in the query `as`."""


def camera_of(frame: DepthFrame) -> dict[str, float | str | None]:
    """The camera of the depth: pixels, or None where it is not known, and where its focal length is from."""
    pinhole = frame.intrinsics
    known = {name: getattr(pinhole, name) for name in ("fx", "fy", "cx", "cy")}
    return {**{name: value if value == value else None for name, value in known.items()}, "origin": pinhole.origin}


def answer_headers(frame: DepthFrame, form: Form) -> dict[str, str]:
    """Headers that say what the answer's numbers mean."""
    camera = {
        f"Camera-{name.title()}": f"{value:.10g}" if isinstance(value, float) else value
        for name, value in camera_of(frame).items()
        if value is not None
    }
    return {**camera, "Depth-Unit": form.unit}


def wanted_form(headers: Headers, query: QueryParams) -> Form:
    """By the query `as`, else by Accept; PNG where neither says. Raises Refused for another."""
    name = query.get("as")
    if name is not None:
        if name not in FORMS:
            raise Refused(400, "unsuitable", f"as={name[:20]!r} is no form of depth; give one of {', '.join(FORMS)}")
        return FORMS[name]
    found = max(FORMS.values(), key=lambda form: _quality(headers.get("accept", "*/*"), form.media_type))
    if _quality(headers.get("accept", "*/*"), found.media_type) <= 0:
        types = ", ".join(form.media_type for form in FORMS.values())
        raise Refused(406, "unsuitable", f"depth comes as {types}; accept one of them")
    return found


def wanted_step(query: QueryParams) -> int:
    """How many pixels across and down share a point; raises Refused."""
    text = query.get("step", str(STEP))
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 5 and int(text)):
        raise Refused(400, "unsuitable", f"step={text[:20]!r} is not a whole number above 0")
    return int(text)


def _quality(accept: str, media_type: str) -> float:
    """How much a client wants a type, 0 to 1, by the most specific range that takes it in (RFC 9110, 12.5.1)."""
    ranges: Mapping[str, float] = dict(_range(part) for part in accept.split(","))
    general = f"{media_type.partition('/')[0]}/*"
    return next((ranges[name] for name in (media_type, general, "*/*") if name in ranges), 0.0)


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
    try:
        return name, float(quality)
    except ValueError:
        return name, 0.0
