"""Events at the desk, told to every open browser window as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

ALIVE_S = 10.0
_MOST_WAITING = 1000


class Events:
    """Listeners and what they have not heard yet."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[bytes | None]] = set()

    def tell(self, kind: str, **what: Any) -> None:
        """Tell every window; one that does not listen is dropped, and will ask for everything anew."""
        message = b"event: %s\ndata: %s\n\n" % (kind.encode(), msgspec.json.encode(what))
        for listener in list(self._listeners):
            if listener.qsize() >= _MOST_WAITING:
                self._listeners.discard(listener)
                listener.put_nowait(None)
            listener.put_nowait(message)

    async def listen(self) -> AsyncGenerator[bytes]:
        """Yield messages until the window goes or the server ends."""
        listener: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._listeners.add(listener)
        try:
            yield b"retry: 500\n\n"
            while True:
                try:
                    message = await asyncio.wait_for(listener.get(), ALIVE_S)
                except TimeoutError:
                    message = b": alive\n\n"
                if message is None:
                    return
                yield message
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """End all streams."""
        for listener in self._listeners:
            listener.put_nowait(None)
