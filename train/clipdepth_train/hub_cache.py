"""Hugging Face's hub, asked once whether it is there before its client asks it again and again."""

from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants, get_session

from clipdepth.bundle.hub_errors import without_login
from clipdepth_train.pretrained import first_line

WAIT_S = 5.0
"""Seconds to wait for its answer."""


@contextmanager
def cache_where_unreachable() -> Iterator[str]:
    """Let the hub's client use its cache alone in the block where the hub does not answer.

    Its client asks six times for each file otherwise, for most of a minute, and warns each time. Gives why it does not
    answer, in a line; '' where it does, whatever its answer is.
    """
    before = constants.HF_HUB_OFFLINE
    reason = "HF_HUB_OFFLINE is set" if before else _unreachable()
    constants.HF_HUB_OFFLINE = before or bool(reason)
    try:
        yield reason
    finally:
        constants.HF_HUB_OFFLINE = before


def _unreachable() -> str:
    try:
        get_session().head(constants.ENDPOINT, timeout=WAIT_S)
    except Exception as error:  # httpx's or httpx2's, whichever this version of the client asks with
        return f"{without_login(constants.ENDPOINT)} cannot be reached: {first_line(error)}"
    return ""
