"""What a system asks of its user before a program may see a camera."""

import sys

_SETTINGS = {
    "darwin": "in System Settings, Privacy & Security, Camera, allow the program that this terminal belongs to",
    "win32": "in Settings, Privacy & security, Camera, allow desktop apps",
}


def permission() -> str:
    """Where this system allows it, after '; '; '' where the files of devices tell."""
    return f"; {_SETTINGS[sys.platform]}" if sys.platform in _SETTINGS else ""
