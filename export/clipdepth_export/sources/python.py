"""Any PyTorch module of a user, made by a function, as the source of an export."""

from functools import partial

from clipdepth.bundle.kind import METRIC
from clipdepth.bundle.manifest import Licence
from clipdepth.errors import UsageError
from clipdepth_export.source import ExportSource
from clipdepth_export.sources.asked import Asked, imported_source
from clipdepth_train.imported.python import load_python


def python_source(named: str, asked: Asked) -> ExportSource:
    """The network of 'python:PACKAGE.MODULE:FUNCTION', see `load_python`, which says nothing of itself.

    It answers metres, or what `asked` says. Raises UsageError for what was not asked.
    """
    told, name = asked.told, named.rpartition(":")[2]
    if told.size is None:
        raise UsageError(f"{named} does not say the size of its input; give --size HEIGHTxWIDTH")
    kind = told.kind or METRIC
    depth = told.metric_range(kind, None, name)
    licences = [Licence(name, told.licence)] if told.licence else []
    load = partial(load_python, named, depth)
    return imported_source(load, name, named, asked, told.size, kind, depth, licences)
