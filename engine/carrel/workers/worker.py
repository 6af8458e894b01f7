"""A worker process: opens files and reads pages, one at a time, until its batch ends.

``python -P -m carrel.workers.worker DESCRIPTOR PARENT`` is started by `carrel.workers.pool`; the descriptor is one end of a
pair of sockets. Before any file is opened the process gives up the internet, other files than its input, and core dumps.
"""

from __future__ import annotations

import errno
import gc
import hashlib
import os
import signal
import stat
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from carrel.batch.journal import SeenFile
from carrel.batch.settings import Settings, from_json
from carrel.budget import OutOfMemoryLimitError
from carrel.errors import CarrelError, InputError
from carrel.workers import messages, sandbox

if TYPE_CHECKING:
    from carrel.image.source import Scan


@dataclass(frozen=True, slots=True)
class PageResults:
    """What came of a page: contents by format, and how many lines were found, not read, or are to be reviewed."""

    files: Mapping[str, bytes]
    lines: int
    unread: int
    review: int


class PageFunction(Protocol):
    """Reads one page; ``identity`` names the models it uses by content."""

    @property
    def identity(self) -> str: ...

    def __call__(self, scan: Scan, /) -> PageResults: ...


class GoneError(Exception):
    """The file is not there any more, or is not what it was."""


def work(connection: Connection, parent: int) -> None:
    """Serve the batch at the other end of ``connection``, which runs in process ``parent``, until it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the batch, which decides
    sandbox.die_with_parent(parent)
    order, _ = messages.receive(connection)
    held = _confine(order)
    settings = from_json(order["settings"])
    try:
        read_page = _entry(settings)
        messages.send(connection, {"kind": "ready", "identity": read_page.identity, **held})
    except CarrelError as error:
        messages.send(connection, {"kind": "fatal", "error": type(error).__name__, "message": str(error)})
        return
    _serve(connection, settings, read_page)


def _confine(order: Mapping[str, Any]) -> dict[str, Any]:
    sandbox.forbid_dumps()
    sandbox.limit_resources(order["memory_bytes"])
    sockets = sandbox.forbid_internet()
    writable = [Path(p) for p in order["writable"]]
    readable = [Path(p) for p in order["readable"]] + _own_folders()
    return {"sockets_refused": sockets, "landlock": sandbox.confine_files(readable, writable)}


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


def _entry(settings: Settings) -> PageFunction:
    module, _, function = settings.entry.partition(":")
    make: Callable[[Settings], PageFunction] = getattr(import_module(module), function)
    return make(settings)


def _serve(connection: Connection, settings: Settings, read_page: PageFunction) -> None:
    while True:
        try:
            task, _ = messages.receive(connection)
        except EOFError:
            return
        file = SeenFile(Path(task["path"]), task["size_bytes"], task["changed_ns"])
        try:
            answer, results = _work(file, task["page_index"], settings, _announced(read_page, connection))
        except MemoryError:  # what is left of the heap is worth little: a new process takes over
            messages.send(connection, {"kind": "failed", "reason": "did not fit into memory", "ends": True})
            return
        messages.send(connection, answer, results)
        gc.collect()


def _announced(read_page: PageFunction, connection: Connection) -> Callable[[Scan], PageResults]:
    """Tell the batch that a page is decoded: what a stranger's bytes can draw out is over, and a new clock starts."""

    def read(scan: Scan) -> PageResults:
        messages.send(connection, {"kind": "decoded"})
        return read_page(scan)

    return read


def _work(
    file: SeenFile, page_index: int | None, settings: Settings, read_page: Callable[[Scan], PageResults]
) -> tuple[messages.Message, Mapping[str, bytes]]:
    """The answer to one task; only running out of memory gets out of here."""
    sha256 = None
    try:
        with open_unchanged(file) as descriptor:
            if page_index is not None:
                results = read_page(_scan(file, descriptor, page_index, settings))
                counts = {"lines": results.lines, "unread": results.unread, "review": results.review}
                return {"kind": "read", **counts}, results.files
            sha256 = _digest(descriptor, settings.most_bytes)
            return {"kind": "opened", "sha256": sha256, "pages": _pages(descriptor, settings.most_pages)}, {}
    except GoneError:
        return {"kind": "gone"}, {}
    except InputError as error:
        if isinstance(error.__cause__, MemoryError):
            raise MemoryError from error
        return {"kind": "refused", "reason": _reason(error), "sha256": sha256}, {}
    except CarrelError as error:
        return {"kind": "failed", "reason": str(error)}, {}
    except MemoryError:
        raise
    except Exception as error:  # a defect, or a library's: the page is tried once more, then put aside
        return {"kind": "failed", "reason": f"{type(error).__name__} in {_place(error)}"}, {}


@contextmanager
def open_unchanged(file: SeenFile) -> Generator[int]:
    """A descriptor of the file, if it is still the regular file that was seen; never follows a link, never blocks.

    Raises
    ------
    GoneError
        It is not.
    InputError
        It may not be read, or is empty.
    """
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            raise InputError("may not be read; change its permissions") from error
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.ESTALE):
            raise GoneError from error
        raise InputError(f"cannot be opened ({str(error.strerror).lower()}); copy it again") from error
    try:
        status = os.fstat(descriptor)
        changed_ns = max(status.st_mtime_ns, status.st_ctime_ns)
        if not stat.S_ISREG(status.st_mode) or (status.st_size, changed_ns) != (file.size_bytes, file.changed_ns):
            raise GoneError
        if status.st_size == 0:
            raise InputError("the file is empty; scan or copy it again")
        yield descriptor
    finally:
        os.close(descriptor)


def _digest(descriptor: int, most_bytes: int) -> str:
    if os.fstat(descriptor).st_size > most_bytes:
        raise InputError(f"is larger than {most_bytes / 2**20:,.0f} MiB; raise the limit or split the file")
    with os.fdopen(os.dup(descriptor), "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _pages(descriptor: int, most_pages: int) -> int:
    from carrel.image.source import count_pages

    pages = count_pages(_path(descriptor))
    if pages > most_pages:
        raise InputError(f"holds {pages:,} pages, the limit is {most_pages:,}; raise the limit or split the file")
    return pages


def _scan(file: SeenFile, descriptor: int, page_index: int, settings: Settings) -> Scan:
    from carrel.image.source import open_scans

    scans: Iterable[Scan] = open_scans(_path(descriptor), settings.options.max_megapixels, first=page_index)
    for scan in scans:
        return replace(scan, source=replace(scan.source, file_name=file.path.name))
    raise InputError("the page is not in the file; scan it again")


def _path(descriptor: int) -> Path:
    """The file that was opened and checked, whatever stands at its path by now."""
    return Path(f"/proc/self/fd/{descriptor}")


def _reason(error: InputError) -> str:
    """Why a page was refused. A worker names the limit that does for it alone."""
    message = _without_path(error)
    if isinstance(error, OutOfMemoryLimitError):
        return f"{message.removesuffix(' will do')} with --workers 1 --retry will do"
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
    work(Connection(int(sys.argv[1])), int(sys.argv[2]))
