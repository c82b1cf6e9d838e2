"""The kinds of models that can be exported: a module each, which makes an `ExportSource`."""

UNKNOWN = "unknown"
"""The focal length of a training camera that nobody knows."""
