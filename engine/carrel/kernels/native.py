"""Libraries of kernels that were built ahead: where they lie, and whether they belong to these sources.

Libraries are looked for in this order; with one of them, numba is never imported:

1. the one that Carrel brings for each kind of processor, if it was made from the sources beside it;
2. the one that ``carrel warm`` built in the user's cache folder. Whoever can write there runs code as the reader, so it
   counts only where nobody but the user and root can. The folder is named after everything the machine code depends on:
   processor, numba, Python and the sources.
"""

from __future__ import annotations

import ctypes
import hashlib
import platform
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from carrel.cache_folders import cache_root, is_trusted, make_private
from carrel.installed import installed_version
from carrel.kernels.records import ENTRIES

Kernel = Callable[..., None]
LIBRARY, DIGESTS = "kernels.so", "kernels.sha256"
_NO_SOURCES = (
    "__init__.py",
    "build.py",
    "lookup.py",
    "native.py",
    "prepare.py",
)  # what machine code does not depend on


@cache
def built_library() -> dict[str, Kernel] | None:
    """Return the kernels of the first library that belongs to these sources; None if there is none."""
    shipped = open_library(shipped_folder())
    if shipped:
        return shipped
    cached = cached_folder()
    return open_library(cached) if cached and is_trusted_library(cached) else None


def has_library(root: Path | None = None) -> bool:
    """Return whether kernels need no compiler: Carrel brings them, or a cache folder, by default the user's, has them."""
    if belongs(shipped_folder()):
        return True
    cached = cached_folder(root)
    return cached is not None and is_trusted_library(cached) and belongs(cached)


def shipped_folder() -> Path:
    """Return the folder of the library that Carrel brings for this kind of processor; it may not exist."""
    machine = platform.machine().lower()
    if not sys.platform.startswith("linux"):
        machine = f"{sys.platform}-{machine}"  # brought for none
    return Path(__file__).with_name(machine)


def open_library(folder: Path) -> dict[str, Kernel] | None:
    """Return the kernels of a folder's library; None if it has none that belongs to these sources and this system."""
    try:
        if not belongs(folder):
            return None
        library = ctypes.CDLL(str(folder / LIBRARY))
        return {name: _typed(library[f"carrel_{name}"], types) for name, (_, types) in ENTRIES.items()}
    except (OSError, AttributeError):  # made for another system; a kernel is missing
        return None


def belongs(folder: Path) -> bool:
    """Return whether a folder's library is whole and made from these sources, by the digests beside it."""
    try:
        return (folder / DIGESTS).read_text("utf-8") == digests((folder / LIBRARY).read_bytes())
    except (OSError, ValueError):
        return False


def digests(library: bytes) -> str:
    """Return the content of the file beside a library: its SHA-256, and that of the sources."""
    return f"{hashlib.sha256(library).hexdigest()}  {LIBRARY}\n{source_digest()}  sources\n"


@cache
def source_digest() -> str:
    """Return the SHA-256 of all sources that machine code is made from."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        if source.name not in _NO_SOURCES:
            digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()


def _typed(function: Any, types: tuple[Any, ...]) -> Kernel:
    function.restype, function.argtypes = None, types
    return function


def cached_folder(root: Path | None = None) -> Path | None:
    """Return the folder of what was compiled here, ``<cache root>/carrel/kernels/<key>``, which may not exist.

    The root is by default ``$XDG_CACHE_HOME``, or ``~/.cache``; None where there is no home.
    """
    try:
        root = root / "carrel" if root and root.is_absolute() else cache_root()
    except RuntimeError:  # no home
        return None
    versions = f"numba{installed_version('numba')}-python{platform.python_version()}"
    return root / "kernels" / f"{processor()}-{versions}-{source_digest()[:12]}"


def writable_folder(root: Path | None = None) -> Path | None:
    """Return the `cached_folder`, made if need be; None where it cannot be written, or others could write there."""
    folder = cached_folder(root)
    return folder if folder and make_private(folder.parent, folder) and is_trusted_library(folder) else None


def is_trusted_library(folder: Path) -> bool:
    """Return whether only this user and root can write to a folder of kernels, the one above it, and its library."""
    return is_trusted(folder.parent, folder, *folder.glob("kernels.*"))


@cache
def processor() -> str:
    """Return a name that differs between processors that need different machine code."""
    try:
        first = Path("/proc/cpuinfo").read_text("utf-8", "replace").partition("\n\n")[0]
    except OSError:
        first = ""
    telling = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU implementer", "CPU part")
    lines = [line for line in first.splitlines() if line.partition("\t")[0].strip() in telling]
    described = "" if lines else platform.processor()  # starts a process on Linux
    digest = hashlib.sha256("\n".join([described, *lines]).encode()).hexdigest()[:12]
    return f"{platform.machine()}-{digest}"
