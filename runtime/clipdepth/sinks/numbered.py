"""One file a frame, numbered as the source numbers its frames."""

from collections.abc import Callable
from contextlib import ExitStack
from glob import escape
from pathlib import Path
from typing import BinaryIO

from clipdepth.errors import OutputError
from clipdepth.files.atomic import atomic_file, make_folder
from clipdepth.files.claim import claimed
from clipdepth.frame import DepthFrame

Write = Callable[[DepthFrame, BinaryIO], None]
"""Writes a frame and its depth as the content of a file."""


class NumberedSink:
    """Writes x_000000.ply and so on for the path x.ply, each as `write` makes it.

    Each file is whole or not there; an error or Ctrl-C leaves the files of the frames before it. `beside` gets each
    frame too, after it.
    """

    def __init__(self, path: Path, write: Write, beside: "NumberedSink | None" = None) -> None:
        self.name = str(path.with_name(f"{path.stem}_*{path.suffix}"))
        self._folder, self._stem, self._suffix = path.parent, path.stem, path.suffix
        self._write = write
        self._beside = beside
        self._held = ExitStack()

    def write(self, frame: DepthFrame) -> None:
        """See `Sink.write`."""
        path = self._folder / f"{self._stem}_{frame.index:06d}{self._suffix}"
        with atomic_file(path, durable=False) as partial, partial.open("wb") as file:
            self._write(frame, file)
        if self._beside:
            self._beside.write(frame)

    def __enter__(self) -> "NumberedSink":
        make_folder(self._folder)
        with ExitStack() as stack:
            stack.enter_context(claimed(self._folder / f"{self._stem}{self._suffix}"))
            if any(self._folder.glob(f"{escape(self._stem)}_*{self._suffix}")):
                raise OutputError(f"there are {self.name} files already; remove them or choose another name")
            if self._beside:
                stack.enter_context(self._beside)
            self._held = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()
