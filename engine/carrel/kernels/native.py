"""Kernels as functions of C: from the library that ``carrel warm`` built, or else compiled by numba when first used.

The library holds the machine code that numba makes, so both give the same bits; with it, numba is never imported. What
is compiled by either way lies in a folder of the user's own, readable and writable by nobody else, because whoever can
write there runs code as the reader. The folder is named after everything the machine code depends on: processor, numba,
Python and the source of all kernels.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import stat
import sys
from collections.abc import Callable
from ctypes import c_float, c_int64, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

from carrel.installed import installed_version

Kernel = Callable[..., None]
ENTRIES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "read_lines": ("carrel.kernels.ctc_readings", (c_void_p, c_void_p, c_void_p, c_int64)),
    "flatten_rows": ("carrel.kernels.pixels", (c_void_p,) * 2 + (c_int64,) * 7 + (c_void_p,) * 3),
    "sauvola_rows": (
        "carrel.kernels.pixels",
        (c_void_p, c_int64, c_int64, c_int64, c_float, c_float, c_int64, c_int64, c_void_p, c_void_p),
    ),
}
"""The kernels that are called from Python: module and types of the arguments; addresses are of C-ordered arrays."""
LIBRARY, DIGEST = "kernels.so", "kernels.sha256"


@cache
def kernel(name: str) -> Kernel:
    """A kernel, ready to be called with numbers and addresses; it checks nothing and lets other threads run."""
    folder = kernel_folder()
    library = open_library(folder) if folder else None
    if library is not None:
        return library[name]
    from carrel.kernels.compiled import compile_entry

    return compile_entry(name)


def open_library(folder: Path) -> dict[str, Kernel] | None:
    """The kernels of a folder's library; None if it has none, or one that is not what ``carrel warm`` left there."""
    file = folder / LIBRARY
    try:
        digest = (folder / DIGEST).read_text("ascii")
        if not _is_private(file) or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            return None
        library = ctypes.CDLL(str(file))
        return {name: _typed(library[f"carrel_{name}"], types) for name, (_, types) in ENTRIES.items()}
    except (OSError, ValueError, AttributeError):  # not there; not ASCII; a kernel is missing
        return None


def _typed(function: Any, types: tuple[Any, ...]) -> Kernel:
    function.restype, function.argtypes = None, types
    return function


@cache
def kernel_folder() -> Path | None:
    """The private folder of compiled kernels, made if need be; None where there can be none (nothing is kept then).

    ``$XDG_CACHE_HOME/carrel/kernels/<key>``, by default under ``~/.cache``.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        return private_folder(Path(base) if Path(base).is_absolute() else Path.home() / ".cache")
    except RuntimeError:  # no home
        return None


def private_folder(cache_root: Path) -> Path | None:
    """The folder of compiled kernels below a cache folder, made if need be; None where others could write there."""
    root = cache_root / "carrel" / "kernels"
    folder = root / f"{processor()}-{_versions()}"
    try:
        for made in (root, folder):
            made.mkdir(mode=0o700, parents=True, exist_ok=True)
        private = _is_private(root) and _is_private(folder) and os.access(folder, os.W_OK)
    except OSError:
        return None
    return folder if private else None


def _is_private(path: Path) -> bool:
    state = path.stat()
    return (
        not sys.platform.startswith("win") and state.st_uid == os.getuid() and not stat.S_IMODE(state.st_mode) & 0o022
    )


@cache
def processor() -> str:
    """A name that differs between processors that need different machine code."""
    try:
        first = Path("/proc/cpuinfo").read_text("utf-8", "replace").partition("\n\n")[0]
    except OSError:
        first = ""
    telling = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU implementer", "CPU part")
    lines = [line for line in first.splitlines() if line.partition("\t")[0].strip() in telling]
    described = "" if lines else platform.processor()  # starts a process on Linux
    digest = hashlib.sha256("\n".join([described, *lines]).encode()).hexdigest()[:12]
    return f"{platform.machine()}-{digest}"


def _versions() -> str:
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return f"numba{installed_version('numba')}-python{platform.python_version()}-{digest.hexdigest()[:12]}"
