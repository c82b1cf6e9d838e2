"""A depth model that the package transformers can load, as the source of an export."""

from pathlib import Path

from clipdepth_export.source import ExportSource
from clipdepth_export.sources.asked import Asked

PREFIX = "hf:"


def is_transformers(folder: Path) -> bool:
    """Whether a folder holds a model as `save_pretrained` writes it."""
    return (folder / "config.json").is_file()


def transformers_source(named: str, asked: Asked) -> ExportSource:
    """The model of 'hf:OWNER/NAME[@REVISION]', or of a folder."""
    raise NotImplementedError
