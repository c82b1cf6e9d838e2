"""A depth model that the package transformers can load, as the source of an export."""

from clipdepth_export.source import ExportSource
from clipdepth_export.sources.asked import Asked, imported_source
from clipdepth_train.imported.transformers import read_model


def transformers_source(named: str, asked: Asked) -> ExportSource:
    """The model of 'hf:OWNER/NAME[@REVISION]', or of a folder; raises what `read_model` and its `load` raise."""
    model = read_model(named, asked.told)
    return imported_source(
        model.load,
        model.name,
        model.origin,
        asked,
        model.size,
        model.kind,
        model.depth,
        list(model.licences),
        finds_focal=model.family.finds_focal,
    )
