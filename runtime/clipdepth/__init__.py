"""clipdepth on the device: bundles, engines, sources, metrics. Needs neither PyTorch nor ONNX."""

__version__ = "0.1.0"
