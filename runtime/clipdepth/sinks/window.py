"""A live window for each source; q, Esc or closing one ends the run."""

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

from clipdepth.errors import OutputError
from clipdepth.frame import DepthFrame
from clipdepth.sinks.screen import Pane, Screen, check_display
from clipdepth.sinks.window_picture import WindowPicture

PERIOD_S = 0.03
"""How often windows are drawn at most, seconds."""
REMEDY = "use --serve to look from a browser"

# Tk's windows belong to the thread that opened them.
_GUI = ThreadPoolExecutor(1, "clipdepth-window")


class WindowSink:
    """Passes a source's newest depth to its window; a `Sink` that never lets the pipeline wait."""

    name = "window"

    def __init__(self, title: str) -> None:
        self.title = title
        self.newest: DepthFrame | None = None

    def write(self, frame: DepthFrame) -> None:
        """See `Sink.write`; keeps the frame until the next one."""
        self.newest = frame

    def __enter__(self) -> "WindowSink":
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Window:
    """Shows what its sinks get, from `__enter__` to `__exit__`; `near` and `far`, metres, are the ends of the colours.

    Sinks must be made before it is entered.
    """

    def __init__(self, near: float, far: float) -> None:
        self._range = near, far
        self._sinks: list[WindowSink] = []
        self._ended = Event()
        self._on_close: Callable[[], None] = lambda: None
        self._drawing: Future[None] | None = None

    def sink(self, name: str) -> WindowSink:
        """A sink for the source called `name`, with a window of its own."""
        number = f"{len(self._sinks) + 1}: " if self._sinks else ""
        self._sinks.append(WindowSink(f"{number}{name} - clipdepth (q quits)"))
        return self._sinks[-1]

    def on_close(self, call: Callable[[], None]) -> None:
        """Say what to do, in another thread, when the user has had enough."""
        self._on_close = call

    def __enter__(self) -> "Window":
        self._drawing = _GUI.submit(self._draw)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._ended.set()
        error = self._drawing.exception() if self._drawing else None
        if error and kind is None:
            raise error

    def _draw(self) -> None:
        try:
            with Screen() as screen:
                panes = [_Pane(screen, sink, *self._range) for sink in self._sinks]
                while not (self._ended.wait(PERIOD_S) or screen.had_enough):
                    for pane in panes:
                        pane.draw()
                    screen.update()
        finally:
            self._on_close()


class _Pane:
    """A sink's window. All its methods are of one thread."""

    def __init__(self, screen: Screen, sink: WindowSink, near: float, far: float) -> None:
        self._screen = screen
        self._sink = sink
        self._range = near, far
        self._shown: object = None
        self._picture: WindowPicture | None = None
        self._pane: Pane | None = None
        self._pointer: tuple[int, int] | None = None

    def draw(self) -> None:
        """Show what is new: depth, or where the pointer is."""
        newest = self._sink.newest
        pointer = self._pane.pointer if self._pane else None
        if newest is not None and newest is not self._shown:
            self._picture = WindowPicture(newest.image, newest.depth, *self._range, newest.kind, newest.confidence)
        elif pointer == self._pointer:
            return
        self._shown, self._pointer = newest, pointer
        if self._picture is not None:
            self._pane = self._pane or self._screen.open(self._sink.title)
            self._pane.show(self._picture.pointed(pointer))


def open_window(near: float, far: float) -> Window:
    """A `Window`; raises OutputError where there is no display, MissingLibraryError where Python has no Tk."""
    if sys.platform == "darwin":
        raise OutputError(f"a Mac opens windows for a program's first thread alone, which is busy here; {REMEDY}")
    check_display(REMEDY)
    return Window(near, far)
