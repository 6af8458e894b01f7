"""Frames on a pair of sockets: four bytes of length, then a message; a descriptor may come with the length.

The worker's side blocks. The parent's side never does: what comes is collected until a frame is whole, and refused as
soon as it is larger than the parent expects.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

from msgspec import Struct

from carrel.workers.messages import MessageError, encode

MOST_TASK_BYTES = 2**28
_CHUNK_BYTES = 2**20
_LENGTH = struct.Struct("!I")


def send(end: socket.socket, message: Struct) -> None:
    """Send a message, waiting until it is taken."""
    body = encode(message)
    end.sendall(_LENGTH.pack(len(body)))
    end.sendall(body)


def send_frame(end: socket.socket, body: memoryview) -> None:
    """Send bytes as a frame of their own, without a copy, waiting until they are taken."""
    end.sendall(_LENGTH.pack(body.nbytes))
    end.sendall(body)


def receive(end: socket.socket) -> tuple[bytes, int | None]:
    """Wait for a frame; returns its body and the descriptor that came with it.

    Raises
    ------
    EOFError
        The other side is gone, or sent what is no frame.
    """
    head, descriptors, _, _ = socket.recv_fds(end, _LENGTH.size, 1)
    if len(head) < _LENGTH.size:
        raise EOFError
    (left,) = _LENGTH.unpack(head)
    if left > MOST_TASK_BYTES:
        raise EOFError
    parts: list[bytes] = []
    while left:
        part = end.recv(min(left, _CHUNK_BYTES))
        if not part:
            raise EOFError
        parts.append(part)
        left -= len(part)
    return b"".join(parts), descriptors[0] if descriptors else None


class Channel:
    """The parent's side. ``most_bytes`` is the largest frame that may come now."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._incoming, self._outgoing = bytearray(), bytearray()
        self.most_bytes = 0

    def fileno(self) -> int:
        """Return the descriptor, for selectors."""
        return self._end.fileno()

    @property
    def pending(self) -> bool:
        """Messages that wait to be sent."""
        return bool(self._outgoing)

    def send(self, message: Struct, descriptor: int | None = None) -> None:
        """Send a message now or, as far as the other side does not take it, with `flush`.

        Raises
        ------
        OSError
            The other side is gone, or has not taken what was sent before.
        """
        body = encode(message)
        head = _LENGTH.pack(len(body))
        if self._outgoing:
            raise BlockingIOError("an earlier message was not taken")
        if descriptor is None:
            self._end.send(head)
        else:
            socket.send_fds(self._end, [head], [descriptor])
        self._outgoing += body
        self.flush()

    def flush(self) -> None:
        """Send what the other side takes.

        Raises
        ------
        OSError
            The other side is gone.
        """
        while self._outgoing:
            try:
                sent = self._end.send(memoryview(self._outgoing)[:_CHUNK_BYTES])
            except BlockingIOError:
                return
            del self._outgoing[:sent]

    def frames(self) -> Iterator[bytes]:
        """Collect what has come, and yield the bodies of whole frames.

        Raises
        ------
        EOFError, OSError
            The other side is gone, and all that it sent was handed out.
        MessageError
            A frame is larger than may come.
        """
        ended = not self._collect()
        while (body := self._next_frame()) is not None:
            yield body
        if ended:
            raise EOFError

    def close(self) -> None:
        """Close the socket."""
        self._end.close()

    def _collect(self) -> bool:
        """Whether the other side is still there."""
        for _ in range(8):  # then the others have their turn
            try:
                part = self._end.recv(_CHUNK_BYTES)
            except BlockingIOError:
                return True
            except ConnectionResetError:
                return False
            if not part:
                return False
            self._incoming += part
            if len(self._incoming) > self.most_bytes + _CHUNK_BYTES:
                raise MessageError("more than may come")
        return True

    def _next_frame(self) -> bytes | None:
        if len(self._incoming) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._incoming)
        if length > self.most_bytes:
            raise MessageError(f"a frame of {length:,} bytes")
        end = _LENGTH.size + length
        if len(self._incoming) < end:
            return None
        body = bytes(memoryview(self._incoming)[_LENGTH.size : end])
        del self._incoming[:end]
        return body
