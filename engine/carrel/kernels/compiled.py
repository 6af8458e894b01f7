"""How kernels are compiled, and where the machine code is kept.

numba's cache on disk is a pickle: whoever can write it runs code as its reader. It therefore lives in a folder of the
user's own, readable and writable by nobody else, named after everything the machine code depends on: processor,
numba, Python and the source of all kernels (numba itself looks at one file's date, not at the files it calls).
"""

from __future__ import annotations

import hashlib
import importlib
import os
import pkgutil
import platform
import shutil
import stat
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import llvmlite.binding
import numba
from numba.core import config

import carrel.kernels

P = ParamSpec("P")
R = TypeVar("R")
_settings: Any = config


def compiled(function: Callable[P, R] | None = None, **settings: Any) -> Any:
    """Compile a kernel on its first call: no GIL, no bounds checks, machine code kept on disk (see `cache_folder`).

    ``settings`` are further ones of ``numba.njit``, such as ``fastmath={"reassoc"}``.
    """
    if function is None:
        return partial(compiled, **settings)
    folder = cache_folder()
    before = _settings.CACHE_DIR
    _settings.CACHE_DIR = str(folder or "")
    try:  # numba takes the folder when it decorates; programs that use numba beside Carrel keep theirs
        return numba.njit(cache=folder is not None, nogil=True, error_model="numpy", **settings)(function)
    finally:
        _settings.CACHE_DIR = before


def inner(function: Callable[P, R] | None = None, **settings: Any) -> Any:
    """Compile a function for use by kernels only: inlined, and free to pass arrays around without counting references.

    Such a function can make no arrays, return none, and not be called from Python. What it saves is large: numba counts
    references with locked instructions wherever an array is taken out of a tuple or sliced.
    """
    return compiled(function, **{"forceinline": True, "_nrt": False, **settings})


@cache
def cache_folder() -> Path | None:
    """The private folder of compiled kernels, made if need be; None where there can be none (nothing is cached then).

    ``$XDG_CACHE_HOME/carrel/kernels/<key>``, by default under ``~/.cache``.
    """
    try:
        root = _cache_root()
        folder = root / _key()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: no home
        return None
    return folder if _is_private(root) and _is_private(folder) and os.access(folder, os.W_OK) else None


def warm() -> Path | None:
    """Compile every kernel, so that no page waits for it, and drop machine code of earlier versions.

    Calls ``warm_up()`` of each module of `carrel.kernels` that has one. Returns the folder, None where none is private.
    """
    for module in pkgutil.iter_modules(carrel.kernels.__path__):
        warm_up = getattr(importlib.import_module(f"carrel.kernels.{module.name}"), "warm_up", None)
        if warm_up is not None:
            warm_up()
    folder = cache_folder()
    if folder is not None:
        for other in folder.parent.iterdir():
            if other != folder and _processor() in other.name:
                shutil.rmtree(other, ignore_errors=True)
    return folder


def _cache_root() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "carrel" / "kernels"


def _is_private(folder: Path) -> bool:
    state = folder.stat()
    return (
        not sys.platform.startswith("win") and state.st_uid == os.getuid() and not stat.S_IMODE(state.st_mode) & 0o022
    )


@cache
def _processor() -> str:
    features = llvmlite.binding.get_host_cpu_features().flatten()
    digest = hashlib.sha256(features.encode()).hexdigest()[:8]
    return f"{llvmlite.binding.get_host_cpu_name()}-{digest}"


def _key() -> str:
    digest = hashlib.sha256()
    for source in sorted(Path(carrel.kernels.__path__[0]).glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    versions = f"numba{numba.__version__}-python{platform.python_version()}"
    return f"{_processor()}-{versions}-{digest.hexdigest()[:12]}"
