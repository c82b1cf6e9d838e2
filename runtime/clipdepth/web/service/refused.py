"""Why the service does not answer a request that it may be asked."""

from clipdepth.web.access import Refusal


class Refused(Exception):  # noqa: N818
    """Carries the refusal out of what reads a request."""

    def __init__(self, status: int, reason: str, text: str) -> None:
        super().__init__(text)
        self.refusal = Refusal(status, reason, text)
