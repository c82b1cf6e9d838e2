"""`OUT/archive.json`: what an archive's depth was made with, so that nothing else gets among it."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from clipdepth.cluster.archive.uri import Uri
from clipdepth.engines import AUTO
from clipdepth.errors import OutputError, UsageError

SCHEMA = 1
FILE = "archive.json"


@dataclass(frozen=True)
class Settings:
    """All that decides the depth of a frame, and which frames there are."""

    bundle: str
    """sha256 of its manifest, which has those of all its files."""
    engine: str
    """'auto' until one is chosen."""
    precision: str
    """Empty until one is chosen."""
    format: str
    """What a video becomes: 'mkv' or 'png'."""
    stride: int
    """Take every so many frames of a video."""
    start: float
    end: float | None
    """Seconds of a video, from its first frame."""
    camera: dict[str, Any]
    """What was said of the camera, and nothing else; of a file its sha256."""
    min_confidence: float = 0.0
    """Depth of less confidence is left out."""

    def after(self, before: "Settings", out: Uri) -> "Settings":
        """These settings with what is left open as it was `before` in `out`.

        Raises UsageError where another one differs, naming it.
        """
        engine = before.engine if self.engine == AUTO else self.engine
        settled = replace(self, engine=engine, precision=self.precision or before.precision)
        for name, value in asdict(settled).items():
            was = getattr(before, name)
            if was != value:
                raise UsageError(f"{out} was made with {name} {was}, not {value}; give that, or choose another --out")
        return settled


def read_settings(out: Uri) -> Settings | None:
    """The settings of the archive in the folder `out`; None where it is new. Raises OutputError for another file."""
    uri = out / FILE
    if not uri.is_file:
        return None
    try:
        stored = json.loads(uri.read())
        if stored.pop("schema") != SCHEMA:
            raise ValueError
        # Archives of earlier versions have what was not said of the camera too.
        camera = {name: value for name, value in stored.pop("camera").items() if value is not None}
        return Settings(**stored, camera=camera)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise OutputError(f"{uri} is not of this version of clipdepth; choose another --out") from None


def write_settings(out: Uri, settings: Settings) -> None:
    """Write `settings`."""
    (out / FILE).write((json.dumps({"schema": SCHEMA, **asdict(settings)}, indent=2) + "\n").encode())
