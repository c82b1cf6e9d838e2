"""Frame and depth side by side as JPEG pictures, to look at."""

from typing import BinaryIO

import cv2

from clipdepth.errors import OutputError
from clipdepth.frame import DepthFrame
from clipdepth.sinks.depth_picture import side_by_side
from clipdepth.sinks.numbered import Write

QUALITY = 92
LONGEST_SIDE = 65500
"""Pixels: what libjpeg writes."""


def jpeg_writer(near: float, far: float) -> Write:
    """What writes a frame and its depth as a JPEG file of `side_by_side`.

    `near` and `far`, metres, are the ends of the colours. It raises OutputError where the picture has more than 65500
    pixels a side.
    """

    def write(frame: DepthFrame, file: BinaryIO) -> None:
        picture = side_by_side(frame.image, frame.depth, near, far, frame.kind)
        height, width = picture.shape[:2]
        if max(height, width) > LONGEST_SIDE:
            raise OutputError(
                f"a JPEG picture has at most {LONGEST_SIDE} pixels a side, not {width}×{height}; "
                "give a folder for depth as 16-bit PNGs, or a smaller picture"
            )
        file.write(cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, QUALITY))[1].data)

    return write
