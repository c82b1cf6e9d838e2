"""Windows on the screen, drawn by Tk, which comes with Python: OpenCV's build for servers has none."""

import gc
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import MissingLibraryError, OutputError

if TYPE_CHECKING:
    from tkinter import Event, Label, Misc, Toplevel

SHOWN_WIDTH = 1200
"""The greatest width in which a window opens, pixels; the user may change it."""
QUIT_KEYS = ("q", "Q", "Escape")
TRY_S = 30.0
_TRIAL = "import sys, tkinter\ntry: tkinter.Tk().destroy()\nexcept tkinter.TclError as error: sys.exit(str(error))"


class Screen:
    """The windows of one thread, which alone may use them; a context that closes them."""

    def __init__(self, quit_keys: Sequence[str] = QUIT_KEYS) -> None:
        self.had_enough = False
        """Whether the user pressed one of `quit_keys`, as Tk names them, or closed a window."""
        self._keys = quit_keys
        from tkinter import Tk  # which some Pythons lack

        self._root = Tk(className="clipdepth")
        self._root.withdraw()

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *_: object) -> None:
        self._root.destroy()
        del self._root
        gc.collect()  # Tk's objects refer to one another, and end the process where another thread frees them

    def open(self, title: str) -> "Pane":
        """A new window, which shows when it has a picture."""
        from tkinter import Toplevel

        window = Toplevel(self._root)
        window.withdraw()
        window.title(title)
        window.protocol("WM_DELETE_WINDOW", self._end)
        window.bind("<Key>", self._press)
        return Pane(window)

    def update(self) -> None:
        """Draw, and hear of keys and of the pointer."""
        self._root.update()

    def _press(self, event: "Event[Misc]") -> None:
        if event.keysym in self._keys:
            self._end()

    def _end(self) -> None:
        self.had_enough = True


class Pane:
    """A window with one picture, as large as the window lets it be, in its middle."""

    def __init__(self, window: "Toplevel") -> None:
        from tkinter import Label, PhotoImage

        self.pointer: tuple[int, int] | None = None
        """Where the pointer is, x and y in pixels of the picture."""
        self._window = window
        self._label = Label(window, borderwidth=0, background="black")
        self._label.pack(fill="both", expand=True)
        self._label.bind("<Motion>", self._point)
        self._image = PhotoImage(master=window)
        self._label.configure(image=self._image)
        self._size: tuple[int, int] | None = None
        self._scale = 1.0

    def show(self, picture: NDArray[np.uint8]) -> None:
        """Show a picture, (H, W, 3) uint8 BGR; the first one opens the window in a size that fits it."""
        height, width = picture.shape[:2]
        if self._size is None:
            self._scale = min(1.0, SHOWN_WIDTH / width)
            self._window.geometry(f"{round(width * self._scale)}x{round(height * self._scale)}")
            self._window.deiconify()
        else:
            self._scale = min(self._label.winfo_width() / width, self._label.winfo_height() / height)
        self._size = max(1, round(width * self._scale)), max(1, round(height * self._scale))
        shrinks = self._scale < 1
        shown = cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        rgb = cv2.cvtColor(shown, cv2.COLOR_BGR2RGB)
        self._image.configure(data=b"P6 %d %d 255 " % self._size + rgb.tobytes(), format="PPM")

    def _point(self, event: "Event[Label]") -> None:
        if self._size is not None:
            left, top = self._label.winfo_width() - self._size[0], self._label.winfo_height() - self._size[1]
            self.pointer = round((event.x - left / 2) / self._scale), round((event.y - top / 2) / self._scale)


def check_display(remedy: str) -> None:
    """Raise OutputError, which ends in `remedy`, where no window can be opened: without a display, say.

    Raises MissingLibraryError where this Python has no Tk.
    """
    if find_spec("_tkinter") is None:
        raise MissingLibraryError(f"this Python has no Tk; install python3-tk (Debian, Ubuntu), or {remedy}")
    try:
        # In another process, which may hang.
        tried = subprocess.run(
            [sys.executable, "-c", _TRIAL], capture_output=True, text=True, timeout=TRY_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise OutputError(f"opening a window took more than {TRY_S:g} s; {remedy}") from None
    if tried.returncode:
        reason = next((line for line in reversed(tried.stderr.splitlines()) if line.strip()), "no reason is given")
        raise OutputError(f"cannot open a window ({reason.strip()}); run it on a desktop, or {remedy}")
