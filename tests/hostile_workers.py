"""What a worker that a page took over could say to its parent: page functions by name, and frames of any form."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from carrel.image.source import Scan
from carrel.workers.messages import PageRead, Work, encode

SHA256 = "a" * 64


def frame(body: bytes) -> bytes:
    return struct.pack("!I", len(body)) + body


def said(**fields: object) -> bytes:
    """A frame of msgpack, bounds or not."""
    return frame(msgspec.msgpack.encode(fields))


def socket_to_parent() -> int:
    """The descriptor of the worker's only socket."""
    names = os.listdir("/proc/self/fd")  # noqa: PTH208
    links = [
        (int(name), str(Path(f"/proc/self/fd/{name}").readlink()))
        for name in names
        if os.path.lexists(f"/proc/self/fd/{name}")
    ]
    return next(descriptor for descriptor, target in links if target.startswith("socket:"))


def say(*frames: bytes) -> None:
    descriptor = socket_to_parent()
    for data in frames:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    time.sleep(600)


def _drip() -> None:
    """A message byte by byte, each in time."""
    body = frame(b"x" * 60_000)
    for at in range(len(body)):
        os.write(socket_to_parent(), body[at : at + 1])
        time.sleep(0.2)


def _decoded_again() -> None:
    while True:
        os.write(socket_to_parent(), said(type="decoded"))
        time.sleep(0.2)


RESULT = {"files": {"text": b"x", "json": b"x"}, "lines": 1, "unread": 0, "review": 0}
DEEDS: dict[str, Callable[[], None]] = {
    "half": lambda: say(struct.pack("!I", 1000) + b"{"),
    "drip": _drip,
    "decoded_again": _decoded_again,
    "deep": lambda: say(frame(b"\x82\xa4type\xa4page\xa5files" + b"\x91" * 200_000)),
    "number": lambda: say(said(type="page", **RESULT | {"lines": 10**18})),
    "negative": lambda: say(said(type="page", **RESULT | {"unread": -1})),
    "surrogate": lambda: say(frame(b"\x82\xa4type\xa7refused\xa6reason\xa3\xed\xa0\x80")),
    "escape": lambda: say(said(type="refused", reason="\x1b]0;owned\x07\x1b[2J\u202e gone\r\n")),
    "long": lambda: say(said(type="failed", reason="x" * 60_000)),
    "huge": lambda: say(struct.pack("!I", 2**32 - 1) + b"x" * 2**20),
    "flood": lambda: say(b"\0" * 2**24),
    "large": lambda: say(frame(b"x" * 2**27)),
    "other_formats": lambda: say(said(type="page", **RESULT | {"files": {"text": b"", "../../x": b"x"}})),
    "many_formats": lambda: say(said(type="page", **RESULT | {"files": {f"f{n}": b"" for n in range(10**6)}})),
    "opened": lambda: say(said(type="opened", sha256=SHA256, pages=3)),
    "ready": lambda: say(said(type="ready", identity="hostile", sockets_refused=True, landlock=1)),
    "fatal": lambda: say(said(type="fatal", error="OutputError", message="stop everything")),
    "unknown_fields": lambda: say(said(type="page", **RESULT, more=1)),
    "no_message": lambda: say(frame(b"\xc1\xff\x00")),
}  # fmt: skip


class Hostile:
    identity = "hostile"

    def __init__(self, deed: Callable[[], None]) -> None:
        self._deed = deed

    def __call__(self, scan: Scan, formats: tuple[str, ...], contents: Callable[[], bytes], /) -> PageRead:
        self._deed()
        raise AssertionError("it went on")

    def write(
        self, stored: bytes, formats: tuple[str, ...], scan: Callable[[], Scan], contents: Callable[[], bytes], /
    ) -> dict[str, bytes]:
        raise AssertionError("nothing was read")


def answers_twice() -> None:
    """A right answer, and then more of them for the next task."""
    body = frame(encode(PageRead({"text": b"right", "json": b"{}"}, 1, 0, 0)))
    say(body + body)


DEEDS["twice"] = answers_twice


def __getattr__(name: str) -> Callable[[Work], Hostile]:
    """``hostile_workers:half`` and so on as entries."""
    if name not in DEEDS:
        raise AttributeError(name)
    return lambda work: Hostile(DEEDS[name])
