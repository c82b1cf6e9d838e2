"""What a request may ask of the service."""

MAX_PIXELS = 1 << 24
"""Of a picture: 16.8 million, 50 MB once it is decoded."""
MAX_BODY = 3 * MAX_PIXELS
"""Bytes of a request's body: as many as the largest raw picture has."""
MAX_AT_ONCE = 32
"""Requests that are read or wait for depth."""
BODY_S = 30
"""How long a client may take to send a picture, seconds."""
FAREWELL_S = 10
"""How long requests under way have to be answered at the end, seconds."""
MAX_POINTS = 100_000
"""Of an answer in JSON."""
