"""The desk's journal: every change on the disk before it is said to be kept.

One record a line: eight hexadecimal digits of CRC32, a space, JSON. Records are only ever added. All that come while one
flush runs go into the next. A torn last record is cut off when the journal is opened.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import zlib
from pathlib import Path
from typing import Any

import msgspec

from carrel import system
from carrel.errors import OutputError

Record = dict[str, Any]
_Waiting = tuple[bytes, asyncio.AbstractEventLoop, "asyncio.Future[None]"]


def line_of(record: Record) -> bytes:
    """Return a record as it stands in the file."""
    body = msgspec.json.encode(record)
    return b"%08x %s\n" % (zlib.crc32(body), body)


def record_of(line: bytes) -> Record | None:
    """Return the record of a line; None for one that is torn or damaged."""
    digits, _, body = line.rstrip(b"\n").partition(b" ")
    try:
        if not line.endswith(b"\n") or int(digits, 16) != zlib.crc32(body):
            return None
        return msgspec.json.decode(body, type=Record)
    except (ValueError, msgspec.MsgspecError):
        return None


def load(path: Path) -> tuple[list[Record], int]:
    """Return the whole records of a file up to the first that is not, and the bytes that they take."""
    records: list[Record] = []
    size = 0
    if path.is_file():
        with path.open("rb") as file:
            for line in file:
                record = record_of(line)
                if record is None:
                    break
                records.append(record)
                size += len(line)
    return records, size


class Journal:
    """A journal that is open for more; ``records`` are those that were there.

    Raises
    ------
    OutputError
        It cannot be written to, or is damaged before its end.
    """

    def __init__(self, path: Path) -> None:
        self.records, size = load(path)
        try:
            if path.is_file() and b"\n" in _rest(path, size).rstrip(b"\n"):
                raise OutputError(f"{path}: damaged in the middle; copy it aside, then start with another folder")
            self._file = os.open(
                path, os.O_RDWR | os.O_CREAT | os.O_APPEND | system.O_CLOEXEC | system.O_NOFOLLOW, 0o600
            )
            os.ftruncate(self._file, size)
            os.fsync(self._file)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written to ({error.strerror}); choose another folder") from error
        self._coming: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="carrel-journal", daemon=True)
        self._thread.start()

    async def keep(self, *records: Record) -> None:
        """Return once the records are on the disk.

        Raises
        ------
        OutputError
            They are not: the disk is full, or gone.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._coming.put((b"".join(map(line_of, records)), loop, done))
        await done

    def close(self) -> None:
        """Write what has come, and close the file."""
        self._coming.put(None)
        self._thread.join(10)
        os.close(self._file)

    def _run(self) -> None:
        closing = False
        while not closing:
            waiting = [self._coming.get()]
            while not self._coming.empty():
                waiting.append(self._coming.get())
            closing = None in waiting
            together = [entry for entry in waiting if entry is not None]
            problem = self._write(b"".join(data for data, _, _ in together)) if together else None
            for _, loop, done in together:
                loop.call_soon_threadsafe(_settle, done, problem)

    def _write(self, data: bytes) -> OutputError | None:
        """Add to the file whole, or not at all."""
        size = os.fstat(self._file).st_size
        try:
            written = 0
            while written < len(data):
                written += os.write(self._file, data[written:])
            os.fdatasync(self._file)
        except OSError as error:
            os.ftruncate(self._file, size)
            return OutputError(f"the journal cannot be written ({error.strerror}); free space")
        return None


def _rest(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(size)
        return file.read()


def _settle(done: asyncio.Future[None], problem: OutputError | None) -> None:
    if done.done():
        return
    if problem is None:
        done.set_result(None)
    else:
        done.set_exception(problem)
