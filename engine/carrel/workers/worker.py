"""A worker process: opens files and reads pages, one at a time, until its parent ends.

``python -P -m carrel.workers.worker DESCRIPTOR PARENT`` is started by `carrel.workers.launch`; the descriptor is one end of
a pair of sockets. Before any file is opened the process gives up the internet, files, and core dumps. Files come as open
descriptors: it may open none itself.
"""

from __future__ import annotations

import gc
import hashlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from carrel.budget import OutOfMemoryLimitError, add_option
from carrel.errors import CarrelError, InputError
from carrel.installed import missing_package
from carrel.options import ReadOptions
from carrel.workers import sandbox, seccomp
from carrel.workers.channel import receive, send
from carrel.workers.messages import (
    Began,
    Begin,
    Decoded,
    Failed,
    Fatal,
    Opened,
    Outcome,
    PageRead,
    ReadPage,
    Ready,
    Refused,
    Task,
    Work,
    WritePage,
    WrittenOut,
    decode_to_worker,
)

if TYPE_CHECKING:
    from carrel.image.source import Scan


class PageFunction(Protocol):
    """A function that reads one page and writes it in the formats, or writes one that was read before; ``identity`` names the models it uses by content.

    ``contents`` gives the bytes of the file that the scan is from, for formats that hold the scan.
    """

    @property
    def identity(self) -> str: ...

    def __call__(self, scan: Scan, formats: tuple[str, ...], contents: Callable[[], bytes], /) -> PageRead: ...

    def again(
        self, earlier: bytes, scan: Scan, formats: tuple[str, ...], contents: Callable[[], bytes], /
    ) -> PageRead: ...

    def write(
        self, stored: bytes, formats: tuple[str, ...], scan: Callable[[], Scan], contents: Callable[[], bytes], /
    ) -> dict[str, bytes]: ...


class _Desk:
    """What stays open between tasks: the memory budget, and the page function for the options it was made with."""

    def __init__(self, work: Work) -> None:
        from carrel.loading import budget_for

        self.work = work
        self.budget = budget_for(work.options)  # the page function finds it in use
        self._options = work.options
        self._read: PageFunction | None = None
        self._read = self.page_function(None)

    def page_function(self, options: ReadOptions | None) -> PageFunction:
        options = replace(options or self.work.options, memory_bytes=self.work.options.memory_bytes)
        if self._read is None or options != self._options:
            self._read = None  # two sets of models do not fit
            gc.collect()
            self._read, self._options = _entry(msgspec.structs.replace(self.work, options=options)), options
        return self._read


def work(end: socket.socket, parent: int) -> None:
    """Serve the pool at the other end of the socket, which runs in process ``parent``, until it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which decides
    sandbox.die_with_parent(parent)
    begin = decode_to_worker(receive(end)[0])
    if not isinstance(begin, Begin):
        return
    sockets, landlock = _confine(begin)
    try:
        desk = _Desk(begin.work)
        calls = seccomp.forbid_what_is_never_needed() if _has_accelerator(begin) else seccomp.allow_only_reading()
        send(end, Ready(desk.page_function(None).identity, sockets, landlock, calls))
    except CarrelError as error:
        send(end, Fatal(type(error).__name__, str(error)))
        return
    except ImportError as error:
        send(end, Fatal(CarrelError.__name__, missing_package(error)))
        return
    _serve(end, desk)


def _confine(begin: Begin) -> tuple[bool, int]:
    """Give up what is not needed; returns whether sockets are refused, and the version of Landlock."""
    sandbox.forbid_dumps()
    sandbox.limit_resources(begin.memory_bytes)
    sockets = seccomp.forbid_internet()
    readable = [*begin.readable, *_own_folders()]
    return sockets, sandbox.confine_files(readable, begin.writable, devices=_has_accelerator(begin))


def _has_accelerator(begin: Begin) -> bool:
    return begin.work.options.device not in ("auto", "cpu")


def _own_folders() -> list[Path]:
    """Where Python, its packages, the processor's and the system's description lie."""
    prefix = os.environ.get("TESSDATA_PREFIX")
    folders = [*sys.path, sys.prefix, sys.base_prefix, *([prefix] if prefix else [])]
    return [Path(p) for p in (*folders, *_SYSTEM_FOLDERS) if p]


_SYSTEM_FOLDERS = (
    "/usr",
    "/lib",
    "/lib64",
    "/opt",
    "/proc",
    "/sys",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/OpenCL",
)


def _entry(work: Work) -> PageFunction:
    module, _, function = work.entry.partition(":")
    make: Callable[[Work], PageFunction] = getattr(import_module(module), function)
    return make(work)


def _serve(end: socket.socket, desk: _Desk) -> None:
    while True:
        try:
            body, descriptor = receive(end)
        except EOFError:
            return
        task = decode_to_worker(body)
        if isinstance(task, Begin) or (descriptor is None and not isinstance(task, WritePage)):
            return
        send(end, Began())
        try:
            outcome = _outcome(task, descriptor, desk, lambda: send(end, Decoded()))
        except MemoryError:  # what is left of the heap is worth little: a new process takes over
            send(end, Failed("did not fit into memory", ends=True))
            return
        finally:
            if descriptor is not None:
                os.close(descriptor)
        send(end, outcome)
        del outcome
        gc.collect()


def _outcome(task: Task, descriptor: int | None, desk: _Desk, decoded: Callable[[], None]) -> Outcome:
    """The answer to one task; only running out of memory gets out of here."""
    sha256 = None
    try:
        if isinstance(task, WritePage):
            scan, contents = partial(_scan, task, descriptor, desk), partial(_contents, descriptor)
            return WrittenOut(desk.page_function(None).write(task.stored, task.formats, scan, contents))
        if isinstance(task, ReadPage):
            read_page = desk.page_function(task.options)
            scan = _scan(task, descriptor, desk)
            decoded()
            read = read_page if task.earlier is None else partial(read_page.again, task.earlier)
            return read(scan, task.formats, partial(_contents, descriptor))
        assert descriptor is not None
        sha256 = _digest(descriptor, desk.work.most_bytes)
        return Opened(sha256, _pages(descriptor, desk.work.most_pages))
    except InputError as error:
        if isinstance(error.__cause__, MemoryError):
            raise MemoryError from error
        return Refused(_reason(error), sha256, isinstance(error, OutOfMemoryLimitError))
    except (CarrelError, ImportError) as error:
        return Failed(missing_package(error) if isinstance(error, ImportError) else str(error))
    except MemoryError:
        raise
    except Exception as error:  # a defect, or a library's: the page is tried once more, then put aside
        return Failed(f"{type(error).__name__} in {_place(error)}")


def _digest(descriptor: int, most_bytes: int) -> str:
    if os.fstat(descriptor).st_size > most_bytes:
        raise InputError(f"is larger than {most_bytes / 2**20:,.0f} MiB; raise the limit or split the file")
    with os.fdopen(os.dup(descriptor), "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _contents(descriptor: int | None) -> bytes:
    if descriptor is None:
        raise InputError("the scan is not there any more; copy it back")
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


def _pages(descriptor: int, most_pages: int) -> int:
    from carrel.image.source import count_pages

    pages = count_pages(_path(descriptor))
    if pages > most_pages:
        raise InputError(f"holds {pages:,} pages, the limit is {most_pages:,}; raise the limit or split the file")
    if pages < 1:
        raise InputError("holds no page; scan it again")
    return pages


def _scan(task: ReadPage | WritePage, descriptor: int | None, desk: _Desk) -> Scan:
    from carrel.image.source import open_scans

    if descriptor is None:
        raise InputError("the scan is not there any more; copy it back")
    options = (task.options if isinstance(task, ReadPage) else None) or desk.work.options
    scans: Iterable[Scan] = open_scans(
        _path(descriptor),
        options.max_megapixels,
        first=task.page_index,
        budget=desk.budget,
        own_text=options.own_text,
    )
    for scan in scans:
        return replace(scan, source=replace(scan.source, file_name=_known_as(task)))
    raise InputError("the page is not in the file; scan it again")


def _known_as(task: ReadPage | WritePage) -> str:
    return (task.file_name if isinstance(task, ReadPage) else "") or task.file.path.name


def _path(descriptor: int) -> Path:
    """The file that came with the task, as `carrel.image.files.open_regular` takes one that is open already."""
    return Path(f"/proc/self/fd/{descriptor}")


def _reason(error: InputError) -> str:
    """Why a page was refused. A worker names the limit that does for it alone."""
    message = _without_path(error)
    if isinstance(error, OutOfMemoryLimitError):
        return add_option(message, "with --workers 1")
    return message


def _without_path(error: InputError) -> str:
    """What was wrong, without the name of the file: reasons are logged, names are not."""
    message = str(error)
    if message.startswith("/proc/self/fd/"):
        return message.partition(": ")[2]
    return message


def _place(error: BaseException) -> str:
    """Module and line where an exception came from; its message may quote the page and is left out."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "unknown"


if __name__ == "__main__":
    work(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
