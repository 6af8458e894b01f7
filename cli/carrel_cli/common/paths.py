"""Folders and files that a command was given: there, or refused the same way by every command."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from carrel.errors import InputError
from carrel.image.files import shown


def require_folder(path: Path) -> Path:
    """Return ``path`` if a folder is there.

    Raises
    ------
    InputError
        None is; the message names the nearest that is.
    """
    if path.is_dir():
        return path
    if path.exists():
        raise InputError(f"{shown(path)}: is no folder; name the folder that it lies in")
    raise InputError(f"there is no folder {shown(path)}; {_near(path, folders=True)}")


def require_path(path: Path) -> Path:
    """Return ``path`` if a file or folder is there.

    Raises
    ------
    InputError
        None is; the message names the nearest that is.
    """
    if path.exists():
        return path
    raise InputError(f"there is no file or folder {shown(path)}; {_near(path, folders=False)}")


def _near(path: Path, *, folders: bool) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_dir() or not folders]
    except OSError:
        return "check the name"
    near = get_close_matches(path.name, names, 1)
    return f"did you mean {shown(path.with_name(near[0]))}?" if near else "check the name"


class _Required(click.Path):
    """A path that is refused like every other input: exit code 3."""

    def __init__(self, *, folder: bool) -> None:
        super().__init__(path_type=Path)
        self._require = require_folder if folder else require_path

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path."""
        return self._require(Path(os.fsdecode(super().convert(value, param, ctx))))


class _Place(click.Path):
    """A path, or the address of a folder in a store, which stays text."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        """Return the path or the address."""
        if isinstance(value, str) and "://" in value:
            return value
        return Path(os.fsdecode(super().convert(value, param, ctx)))


PLACE = _Place()
"""A folder, or an address such as ``s3://bucket/folder``."""
FOLDER = _Required(folder=True)
"""A folder that is there."""
PATH = _Required(folder=False)
"""A file or folder that is there."""
