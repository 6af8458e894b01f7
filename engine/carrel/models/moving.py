"""Moving and deleting model folders: whole or not at all, and only what is a model's."""

from __future__ import annotations

import errno
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from carrel.errors import OutputError, UsageError
from carrel.models.folders import open_model, shipped_folder
from carrel.models.publish import CARD, MANIFEST


def move_model(folder: Path, target: Path) -> None:
    """Move a model folder to ``target``, which must not be there.

    Raises
    ------
    ModelError
        ``folder`` is no model.
    UsageError
        It ships with Carrel, holds other files, or something stands at ``target``.
    OutputError
        It cannot be moved; it is where it was.
    """
    _require_own(folder)
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target}: is there already; choose another name")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise OutputError(f"{folder}: cannot be moved to {target} ({error.strerror})") from error
        _move_to_another_disk(folder, target)


def _move_to_another_disk(folder: Path, target: Path) -> None:
    aside = target.with_name(f".part-{secrets.token_hex(8)}")
    try:
        shutil.copytree(folder, aside)
        open_model(aside)
        aside.rename(target)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise OutputError(f"{target}: cannot be written ({error.strerror}); choose another folder") from error
    delete_model(folder)


def delete_model(folder: Path) -> None:
    """Delete a model folder.

    Raises
    ------
    ModelError
        It is no model.
    UsageError
        It ships with Carrel, or holds other files.
    OutputError
        It cannot be deleted.
    """
    _require_own(folder)
    aside = folder.with_name(f".part-{secrets.token_hex(8)}")
    try:
        folder.rename(aside)  # no reader sees half of it
        shutil.rmtree(aside)
    except OSError as error:
        with suppress(OSError):
            aside.rename(folder)
        raise OutputError(f"{folder}: cannot be deleted ({error.strerror})") from error


def _require_own(folder: Path) -> None:
    """Make sure that a folder is a model's alone, and a person's to move."""
    model = open_model(folder)
    if folder.is_symlink():
        raise UsageError(f"{folder}: is a link; name the folder itself")
    if folder.resolve().parent == shipped_folder("").resolve():
        raise UsageError(f"{folder}: ships with Carrel; name a model of your own")
    named = {MANIFEST, CARD, *(entry.path.partition("/")[0] for entry in model.manifest.files.values())}
    others = sorted(path.name for path in folder.iterdir() if path.name not in named)
    if others:
        raise UsageError(f"{folder}: also holds {', '.join(others[:3])}; move that away first")
