r"""Text from strangers, such as names of files and what a manifest says, made fit for a terminal."""

import re

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, marks that turn the direction of writing, and bytes of a name that are no UTF-8."""


def shown(text: str) -> str:
    r"""The text with every character that could move the cursor, colour or reorder other text as an escape: `\x1b`."""
    return _UNSEEN.sub(_escaped, text)


def shortened(text: str, most: int = 200) -> str:
    """The same, cut after `most` characters: an error that quotes a file may be as long as the file."""
    return shown(text if len(text) <= most else f"{text[:most]}…")


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # Python's stand-in for a byte of a name
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
