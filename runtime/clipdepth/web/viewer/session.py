"""One viewer's WebSocket.

The page sends 'next' for each frame it has room for; nothing is sent that was not asked for but a status a second.
So a slow page or network takes fewer frames, a paused one none, and what waits for it is bounded.
"""

import asyncio
from time import monotonic

from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from clipdepth.web.access import MESSAGE, Access
from clipdepth.web.viewer.broadcast import Channel
from clipdepth.web.viewer.status import Status

ASKS = 4
"""How many frames may be asked for and not yet sent."""
STATUS_S = 1.0
MISUSE = "misuse"
POLICY_VIOLATION = 1008
GOING_DOWN = 1012
BROKEN = (1002, 1007, 1009)
"""Codes of RFC 6455 for what breaks the protocol, is no text, or is too long."""


class Session:
    """Serves an accepted WebSocket until its end."""

    def __init__(self, socket: WebSocket, channel: Channel, status: Status, access: Access) -> None:
        self._socket = socket
        self._channel = channel
        self._status = status
        self._access = access
        self._asked: asyncio.Queue[str] = asyncio.Queue(ASKS)

    async def run(self) -> None:
        """Listen, show and report until one of them ends."""
        listening = asyncio.create_task(self._listen())
        tasks = [listening, asyncio.create_task(self._show()), asyncio.create_task(self._report())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
                raise result
        if results[0] == MISUSE:  # closed here, where nobody sends any more
            await self._socket.close(POLICY_VIOLATION, f"send 'next', at most {ASKS} ahead")

    async def _listen(self) -> str | None:
        """Take what the page asks for until its end; MISUSE where it sends something else."""
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                self._count_end(message)
                return None
            if message.get("text") != "next" or self._asked.full():
                self._access.count(MESSAGE)
                return MISUSE
            self._asked.put_nowait("next")

    def _count_end(self, message: Message) -> None:
        """Count a viewer that went without a word, or whose messages the server's library could not take."""
        # Only an end that was said or answered has a reason, be it empty.
        if "reason" not in message and message["code"] != GOING_DOWN:
            self._status.count_lost()
        elif message["code"] in BROKEN:
            self._access.count(MESSAGE)

    async def _show(self) -> None:
        seen = -1
        while True:
            await self._asked.get()
            message = await self._channel.message(after=seen)
            seen = message.number
            await self._socket.send_bytes(message.data)
            self._status.sent += 1

    async def _report(self) -> None:
        while True:
            # The counters may be half a second old; by this clock the page tells how old its picture is.
            await self._socket.send_json({**self._status.now(), "clock": monotonic()})
            await asyncio.sleep(STATUS_S)
