"""A large picture in blocks of rows, so that what is computed of it takes little memory."""

from collections.abc import Iterator

BLOCK_PIXELS = 1 << 20


def row_blocks(height: int, width: int) -> Iterator[slice]:
    """The rows of a picture from top to bottom, in blocks of about `BLOCK_PIXELS`, of one row at least."""
    rows = max(1, BLOCK_PIXELS // width)
    return (slice(start, min(start + rows, height)) for start in range(0, height, rows))
