"""A live window for each source; q, Esc or closing one ends the run."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import OutputError
from clipdepth.frame import DepthFrame
from clipdepth.sinks.window_picture import WindowPicture

PERIOD_MS = 30
"""How often windows are drawn at most, milliseconds."""
SHOWN_WIDTH = 1200
"""The greatest width in which a window opens, pixels; the user may change it."""
QUIT_KEYS = (ord("q"), ord("Q"), 27)
FLAGS = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
REMEDY = "use --serve to look from a browser"
TRY_S = 30.0

# HighGUI belongs to the thread that calls it first, for the process's life.
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
        panes = [_Pane(sink, *self._range) for sink in self._sinks]
        try:
            while not self._ended.is_set():
                for pane in panes:
                    pane.draw()
                if not any(pane.is_open for pane in panes):
                    self._ended.wait(PERIOD_MS / 1000)
                elif cv2.waitKey(PERIOD_MS) & 0xFF in QUIT_KEYS or any(pane.was_closed() for pane in panes):
                    break
        finally:
            self._on_close()
            cv2.destroyAllWindows()
            cv2.pollKey()


class _Pane:
    """A sink's window. All its methods are of one thread."""

    def __init__(self, sink: WindowSink, near: float, far: float) -> None:
        self.is_open = False
        self._sink = sink
        self._range = near, far
        self._shown: object = None
        self._picture: WindowPicture | None = None
        self._pointer: tuple[int, int] | None = None
        self._moved = False

    def draw(self) -> None:
        """Show what is new: depth, or where the pointer is."""
        newest = self._sink.newest
        if newest is not None and newest is not self._shown:
            self._picture = WindowPicture(newest.image, newest.depth, *self._range, newest.kind, newest.confidence)
        elif not self._moved:
            return
        self._shown, self._moved = newest, False
        if self._picture is not None:
            self._show(self._picture.pointed(self._pointer))

    def was_closed(self) -> bool:
        """Whether the user closed it."""
        return self.is_open and is_closed(self._sink.title)

    def _show(self, picture: NDArray[np.uint8]) -> None:
        if not self.is_open:
            open_pane(self._sink.title, picture)
            cv2.setMouseCallback(self._sink.title, self._point)
            self.is_open = True
        cv2.imshow(self._sink.title, picture)

    def _point(self, event: int, x: int, y: int, *_: object) -> None:
        self._pointer, self._moved = (x, y), True


def open_window(near: float, far: float) -> Window:
    """A `Window`; raises OutputError where there is no display, or an OpenCV without windows."""
    check_display(REMEDY)
    return Window(near, far)


def open_pane(title: str, picture: NDArray[np.uint8]) -> None:
    """Open a window of a size that fits `picture`, (H, W, 3)."""
    cv2.namedWindow(title, FLAGS)
    height, width = picture.shape[:2]
    shown = min(width, SHOWN_WIDTH)
    cv2.resizeWindow(title, shown, round(height * shown / width))


def is_closed(title: str) -> bool:
    """Whether the user closed a window that was opened."""
    try:
        return cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) < 1
    except cv2.error:
        # OpenCV with Qt, after the last window was closed.
        return True


def check_display(remedy: str) -> None:
    """Raise OutputError, which ends in `remedy`, where there is no display, or an OpenCV without windows."""
    # In another process, since Qt ends the one that has no display.
    if not cv2.currentUIFramework():
        raise OutputError(f"this OpenCV has no windows (opencv-python-headless?); install opencv-python, or {remedy}")
    code = "import cv2; cv2.namedWindow('clipdepth'); cv2.destroyAllWindows()"
    try:
        tried = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=TRY_S, check=False)
    except subprocess.TimeoutExpired:
        raise OutputError(f"opening a window took more than {TRY_S:g} s; {remedy}") from None
    if tried.returncode:
        reason = next((line for line in tried.stderr.splitlines() if line.strip()), "no reason is given").strip()
        raise OutputError(f"cannot open a window ({reason}); run it on a desktop, or {remedy}")
