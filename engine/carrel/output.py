"""Results on disk: complete or absent, whatever happens in between."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from carrel.errors import OutputError


def write_file(path: Path, contents: bytes) -> None:
    """Write ``contents`` beside ``path``, flush them to the disk, and move them into place.

    Raises
    ------
    OutputError
        The file cannot be written; whatever stood at ``path`` is as it was. Its cause is the ``OSError``.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        with suppress(OSError):  # a disk that turned read-only refuses this too
            part.unlink(missing_ok=True)
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); free space or choose another folder"
        ) from error


def make_folder(folder: Path) -> None:
    """Create ``folder`` and make sure that files can be written there.

    Raises
    ------
    OutputError
        It cannot be made, is no folder, or is not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".carrel.part"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise OutputError(f"{folder}: not a folder to write to ({error.strerror}); choose another with -o") from None


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
