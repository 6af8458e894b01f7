"""Page functions for tests of batches: real processes and real decoding, no recognition.

What a page does to its worker is drawn in its top left corner: `mark` makes one that kills, hangs, raises or eats
memory.
"""

from __future__ import annotations

import ctypes
import gc
import hashlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from carrel.budget import OutOfMemoryLimitError
from carrel.errors import ModelError
from carrel.image.source import Scan
from carrel.workers.launch import Places
from carrel.workers.messages import PageRead, Work
from carrel.workers.trial import _deeds  # pyright: ignore[reportPrivateUsage]
from carrel.workers.worker import work

HARMLESS, KILL, HANG, RAISE, EAT, PRY, SLOW, LARGE = range(8)
ENTRY = "batch_pages:measure_pages"
WIDTH_PX, HEIGHT_PX = 64, 48


def page(number: int, what: int = HARMLESS) -> NDArray[np.uint8]:
    """A small page unlike all others."""
    gray = np.random.default_rng(number).integers(0, 256, (HEIGHT_PX, WIDTH_PX), dtype=np.uint8)
    gray[:8, :8] = what * 10
    return gray


def write_page(path: Path, number: int, what: int = HARMLESS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(page(number, what)).save(path)
    return path


def expected(number: int, what: int = HARMLESS) -> str:
    """The result of `write_page` in format "text"."""
    return f"{WIDTH_PX} x {HEIGHT_PX} {hashlib.sha256(page(number, what).tobytes()).hexdigest()}\n"


class Forked:
    """A worker forked from this process: starts in no time, for tests that start many."""

    def __init__(self, pid: int) -> None:
        self.pid, self._code = pid, None

    def poll(self) -> int | None:
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


def fork_worker(places: Places, show_stderr: bool) -> tuple[Forked, socket.socket]:
    """A `Launch` of workers that keeps nothing open but its end of the pipe."""
    ours, theirs = socket.socketpair()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            for descriptor in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208
                if descriptor > 2 and descriptor != theirs.fileno():
                    with suppress(OSError):
                        os.close(descriptor)
            gc.freeze()  # the tests' own heap is not the worker's to search, nor to copy
            os.chdir(places.spool)
            work(theirs, parent)
        finally:
            os._exit(0)
    theirs.close()
    return Forked(pid), ours


class Measure:
    identity = "measure"

    def __init__(self, *, acts: bool = True) -> None:
        self._acts = acts

    def __call__(self, scan: Scan, formats: tuple[str, ...], contents: Callable[[], bytes], /) -> PageRead:
        if self._acts:
            _act(int(scan.gray[0, 0]) // 10)
        height_px, width_px = scan.gray.shape
        text = f"{width_px} x {height_px} {hashlib.sha256(scan.gray.tobytes()).hexdigest()}\n".encode()
        return PageRead(dict.fromkeys(formats, text), 3, 1, 2)

    def write(
        self, stored: bytes, formats: tuple[str, ...], scan: Callable[[], Scan], contents: Callable[[], bytes], /
    ) -> dict[str, bytes]:
        return {name: scan().gray.tobytes() if name == "overlay" else stored for name in formats}


def measure_pages(work: Work) -> Measure:
    return Measure()


def measure_any_pages(work: Work) -> Measure:
    """For pages whose corner means nothing."""
    return Measure(acts=False)


def _act(what: int) -> None:
    if what == KILL:
        ctypes.string_at(0)  # SIGSEGV: workers may send no signals, not even to themselves
    elif what == HANG:
        time.sleep(600)
    elif what == RAISE:
        raise RuntimeError("the secret text of a page")
    elif what == EAT:
        hoard = [np.empty(2**26, np.uint8) for _ in range(400)]
        raise AssertionError(f"{len(hoard)} blocks of 64 MiB fit into the limit")
    elif what == SLOW:
        select.poll().poll(300)  # under a clock that is turned, time.sleep may fail
    elif what == LARGE:
        raise OutOfMemoryLimitError("does not fit into 600 MiB of memory; --memory 818M will do")
    elif what == PRY:
        _pry()


def _pry() -> None:
    """Try what a worker may not; whatever works makes the page fail."""
    for name, deed in _deeds(Path(os.environ["CARREL_TEST_SECRET"]).parent).items():
        try:
            deed()
        except PermissionError:
            continue
        raise AssertionError(f"{name} is open to workers")
    for path in (Path("/etc/hostname"), Path(os.environ["CARREL_TEST_SECRET"])):
        try:
            path.read_bytes()
        except PermissionError:
            continue
        raise AssertionError("a file outside the input is open to workers")
    try:
        Path(os.environ["CARREL_TEST_SECRET"]).with_name("written").write_bytes(b"")
    except PermissionError:
        return
    raise AssertionError("workers can write outside their spool")


def without_model(work: Work) -> Measure:
    raise ModelError(f"{work.options.model}: no model there")


def without_end(work: Work) -> Measure:
    os._exit(3)


class Infer(Measure):
    """Also runs the handwriting model that ships, so that onnxruntime is at work."""

    def __init__(self) -> None:
        from carrel.backends.runtimes.ort import OrtBackend
        from carrel.models.folders import shipped_model
        from carrel.models.manifest import Recognition

        super().__init__()
        model = shipped_model("handwriting-fast", "recognition")
        self._network = OrtBackend(model.read_file("onnx-int8"), model.name)
        self._height_px = model.manifest_as(Recognition).input.height_px

    def __call__(self, scan: Scan, formats: tuple[str, ...], contents: Callable[[], bytes], /) -> PageRead:
        self._network.run({"ink": np.zeros((1, 1, self._height_px, 64), np.float32)})
        return super().__call__(scan, formats, contents)


def infer_pages(work: Work) -> Infer:
    return Infer()
