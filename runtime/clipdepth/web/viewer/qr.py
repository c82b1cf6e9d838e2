"""A QR code for a terminal."""

from io import StringIO

from rich.text import Text

STYLE = "bright_white on black"
"""Whatever the terminal's own colours: cameras want dark squares on a light ground."""


def qr_code(text: str) -> Text | None:
    """The code as half blocks, with its quiet zone; None where segno, of the extra 'viewer', is not installed."""
    try:
        import segno
    except ModuleNotFoundError:
        return None
    drawn = StringIO()
    segno.make(text, error="l", micro=False).terminal(drawn, compact=True)
    return Text(drawn.getvalue().rstrip("\n"), STYLE, no_wrap=True)
