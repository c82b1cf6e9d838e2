"""The newest depth of a source, for as many viewers as ask."""

import asyncio
from dataclasses import dataclass
from time import monotonic_ns

from clipdepth.frame import DepthFrame
from clipdepth.web.viewer.messages import Shot, encode

MAX_FPS = 20
"""How often a second a source's depth is encoded at most."""


@dataclass(frozen=True)
class Message:
    """An encoded shot with its number."""

    number: int
    data: bytes


class Channel:
    """Keeps the newest shot of a source; encodes it once, and only when a viewer asks.

    `put` may be called by any thread and only stores; all else happens in the server's event loop, whose executor
    encodes. A viewer that asks seldom gets few messages, each the newest at its time.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._newest: Shot | None = None
        self._message: Message | None = None
        self._waiting = 0
        self._arrived = asyncio.Event()
        self._encoding = asyncio.Lock()
        self._next_encoding = 0.0

    def attach(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Say in which loop viewers wait, or that there is none any more."""
        self._loop = loop

    def put(self, frame: DepthFrame) -> None:
        """Make this the newest; returns at once."""
        number = self._newest.number + 1 if self._newest else 0
        self._newest = Shot(number, frame, (monotonic_ns() - frame.captured_ns) / 1e9)
        loop = self._loop
        if loop and self._waiting:
            loop.call_soon_threadsafe(self._wake)

    async def message(self, after: int) -> Message:
        """Wait for a shot with a number above `after`; -1 for any."""
        await self._newer_than(after)
        async with self._encoding:
            if self._message is None or not self._is_fresh(self._message, after):
                loop = asyncio.get_running_loop()
                await asyncio.sleep(self._next_encoding - loop.time())
                self._next_encoding = loop.time() + 1 / MAX_FPS
                assert self._newest
                shot = self._newest
                self._message = Message(shot.number, await asyncio.to_thread(encode, shot))
            return self._message

    def _is_fresh(self, message: Message, after: int) -> bool:
        """Whether a message can be given once more."""
        assert self._newest
        soon = asyncio.get_running_loop().time() < self._next_encoding
        return message.number > after and (soon or message.number == self._newest.number)

    async def _newer_than(self, number: int) -> None:
        # Counted before the look at the newest: `put` stores first and counts after, so one of both sees the other.
        self._waiting += 1
        try:
            while self._newest is None or self._newest.number <= number:
                await self._arrived.wait()
        finally:
            self._waiting -= 1

    def _wake(self) -> None:
        self._arrived.set()
        self._arrived = asyncio.Event()
