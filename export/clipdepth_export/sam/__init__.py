"""Segment Anything as verified ONNX graphs."""

from clipdepth.bundle.sam_record import SamPrecision

PRECISIONS: tuple[SamPrecision, ...] = ("fp32", "fp16")
"""What its graphs are written in."""
