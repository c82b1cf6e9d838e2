"""Segment Anything as verified ONNX graphs."""
