"""Folders of the user's cache. What lies there runs as code, or decides what runs: only the user and root may write it."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from carrel.system import user_folder, user_id


def cache_root() -> Path:
    """Return ``$XDG_CACHE_HOME/carrel``, by default ``~/.cache/carrel``; a relative ``$XDG_CACHE_HOME`` does not count.

    Raises
    ------
    RuntimeError
        There is no home.
    """
    return user_folder("XDG_CACHE_HOME", ".cache") / "carrel"


def private_folder(name: str) -> Path | None:
    """Return a folder below `cache_root` that nobody else can write, made if need be; None where there can be none."""
    try:
        folder = cache_root() / name
    except RuntimeError:
        return None
    return folder if make_private(folder) else None


def trusted_folder(name: str) -> Path | None:
    """Return a folder below `cache_root` to read from, if it is there and only this user or root can write to it."""
    try:
        folder = cache_root() / name
    except RuntimeError:
        return None
    return folder if is_trusted(folder) else None


def make_private(*folders: Path) -> bool:
    """Make folders that are not there yet, outermost first; return whether this user, and no other but root, can write them."""
    try:
        for folder in folders:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return False
    return is_trusted(*folders) and os.access(folders[-1], os.W_OK)


def is_trusted(*paths: Path) -> bool:
    """Return whether all of these are there, and nobody but this user and root can write to them."""
    if sys.platform.startswith("win"):
        return False
    try:
        states = [path.stat() for path in paths]
    except OSError:
        return False
    return all(state.st_uid in (user_id(), 0) and not stat.S_IMODE(state.st_mode) & 0o022 for state in states)
