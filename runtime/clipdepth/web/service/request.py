"""What a request asks for: a picture's bytes, its camera and the form of the answer."""

import asyncio
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request

from clipdepth.bundle.manifest import Manifest
from clipdepth.camera.camera import Camera
from clipdepth.camera.corrections import Corrections
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import SizedCamera
from clipdepth.files.focal_length import picture_focal
from clipdepth.files.picture_file import PictureError, decode_picture, picture_size
from clipdepth.sources import Captured
from clipdepth.web.service.limits import BODY_S, MAX_BODY, MAX_PIXELS
from clipdepth.web.service.refused import Refused

FOV = "camera-fov"
INTRINSICS = ("camera-fx", "camera-fy", "camera-cx", "camera-cy")
RAW = "raw"


@dataclass(frozen=True)
class ToldCamera:
    """What a request's headers say of the camera: degrees across the width, or pixels of the picture."""

    fov: float | None
    fx: float | None
    fy: float | None
    cx: float | None
    cy: float | None

    def corrections(self, manifest: Manifest, height: int, width: int) -> Corrections | None:
        """For a picture of that size; None where nothing was told.

        Raises UsageError or SourceError for what cannot be.
        """
        if self.fov is not None:
            return Corrections(manifest, Camera(fov=self.fov))
        if self.fx is None:
            return None
        centre = (width - 1) / 2, (height - 1) / 2
        cx, cy = (
            given if given is not None else middle for given, middle in zip((self.cx, self.cy), centre, strict=True)
        )
        fy = self.fx if self.fy is None else self.fy
        return Corrections.of_camera(manifest, SizedCamera(Intrinsics(width, height, self.fx, fy, cx, cy)))


def told_camera(headers: Headers) -> ToldCamera:
    """Read Camera-Fov, or Camera-Fx with or without Camera-Fy, Camera-Cx and Camera-Cy; raises Refused."""
    fov, fx, *others = (_number(headers, name) for name in (FOV, *INTRINSICS))
    if fov is not None and fx is not None:
        raise Refused(400, "camera", "a camera is told by Camera-Fov or by Camera-Fx; give one")
    if fx is None and any(other is not None for other in others):
        raise Refused(400, "camera", "Camera-Fy, Camera-Cx and Camera-Cy belong to Camera-Fx; give it too")
    return ToldCamera(fov, fx, *others)


def raw_size(query: QueryParams) -> tuple[int, int] | None:
    """Height and width of a raw picture, from the query `raw=HxW`; None for a file. Raises Refused."""
    text = query.get(RAW)
    if text is None:
        return None
    height, _, width = text.partition("x")
    if not all(part.isascii() and part.isdigit() and 0 < len(part) < 6 and int(part) for part in (height, width)):
        raise Refused(400, "unsuitable", f"raw={text[:20]!r} is not HxW, height and width in pixels, such as 480x640")
    _check_pixels(int(height), int(width))
    return int(height), int(width)


async def read_body(request: Request) -> bytes:
    """The picture's bytes. Raises Refused where they are too many or too slow, before they are kept."""
    stated = request.headers.get("content-length", "0")
    if not stated.isdigit() or int(stated) > MAX_BODY:
        raise _too_long()
    try:
        return await asyncio.wait_for(_gather(request), BODY_S)
    except asyncio.TimeoutError:
        raise Refused(408, "unfinished", f"the picture did not come within {BODY_S} s") from None


def decode(data: bytes, raw: tuple[int, int] | None) -> Captured:
    """The picture, as sources give it; raises Refused for what is none, or has more than MAX_PIXELS."""
    if raw is not None:
        return Captured(_raw(data, *raw), 0.0, 0)
    width, height = picture_size(data)
    _check_pixels(height, width)
    try:
        picture = decode_picture(data, cv2.IMREAD_COLOR)
    except PictureError as error:
        raise Refused(
            415, "picture", f"the body {error}; send a JPEG, PNG, WebP, BMP or TIFF, or give raw=HxW"
        ) from None
    height, width = picture.shape[:2]
    return Captured(np.asarray(picture, np.uint8), 0.0, 0, focal_px=picture_focal(data, width, height))


async def _gather(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        if len(body) + len(part) > MAX_BODY:
            raise _too_long()
        body += part
    return bytes(body)


def _raw(data: bytes, height: int, width: int) -> NDArray[np.uint8]:
    if len(data) != height * width * 3:
        raise Refused(
            415,
            "picture",
            f"a raw picture of {height}x{width} has {height * width * 3} bytes, BGR row by row; {len(data)} came",
        )
    return np.frombuffer(data, np.uint8).reshape(height, width, 3)


def _check_pixels(height: int, width: int) -> None:
    if height * width > MAX_PIXELS:
        raise Refused(
            413, "large", f"a picture of {height}x{width} has more than {MAX_PIXELS:,} pixels; make it smaller"
        )


def _too_long() -> Refused:
    return Refused(413, "large", f"the body has more than {MAX_BODY:,} bytes; make the picture smaller")


def _number(headers: Headers, name: str) -> float | None:
    text = headers.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Refused(400, "camera", f"{name.title()}: {text[:20]!r} is not a number")
    return value
