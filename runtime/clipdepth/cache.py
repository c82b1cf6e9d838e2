"""The user's cache folder: what can be made again, such as compiled graphs and the choice of an engine."""

import os
from hashlib import sha256
from pathlib import Path

from clipdepth.bundle import Bundle
from clipdepth.errors import OutputError
from clipdepth.record import encode_record


def bundle_cache(bundle: Bundle) -> Path:
    """The folder of what was made of exactly that bundle, wherever it lies; it need not exist.

    Raises as `cache_folder`.
    """
    # The manifest states every file's hash.
    return cache_folder() / sha256(encode_record(bundle.manifest)).hexdigest()[:32]


def cache_folder() -> Path:
    """`clipdepth` in $XDG_CACHE_HOME or ~/.cache; it need not exist. Raises OutputError where there is no home."""
    stated = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if stated.is_absolute():  # the XDG specification has others ignored
        return stated / "clipdepth"
    try:
        return Path.home() / ".cache" / "clipdepth"
    except RuntimeError:
        raise OutputError("this user has no home folder; set XDG_CACHE_HOME") from None
