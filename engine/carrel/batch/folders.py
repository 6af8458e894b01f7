"""Where a batch keeps what: results, and a private folder with journal, lock, heartbeat and spool."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from carrel.errors import OutputError, UsageError
from carrel.formats import FORMATS
from carrel.image.overlay import OVERLAY, OVERLAY_SUFFIX
from carrel.output import make_folder, write_file

STATE_FOLDER = ".carrel"
SUFFIXES: Mapping[str, str] = {name: form.suffix for name, form in FORMATS.items()} | {OVERLAY: OVERLAY_SUFFIX}
"""Of all results, by the name of the format."""


@dataclass(frozen=True, slots=True)
class Folders:
    """``output`` holds the results. ``state`` is private to the user: by default ``.carrel`` in the output folder."""

    output: Path
    state: Path

    @classmethod
    def of(cls, output: Path, state: Path | None = None) -> Folders:
        output = output.resolve()
        return cls(output, state.resolve() if state else output / STATE_FOLDER)

    @property
    def journal(self) -> Path:
        return self.state / "journal.sqlite"

    @property
    def heartbeat(self) -> Path:
        return self.state / "status.json"

    @property
    def spool(self) -> Path:
        return self.state / "spool"

    def result(self, name: str, format_name: str) -> Path:
        return self.output / f"{name}{SUFFIXES[format_name]}"

    def make(self) -> None:
        """Create the folders, the state and its spool for this user alone; the spool is empty afterwards.

        Raises
        ------
        OutputError
            One of them cannot be written to.
        """
        make_folder(self.output)
        make_folder(self.state)
        try:
            self.state.chmod(0o700)
            self.empty_spool()
        except OSError as error:
            raise OutputError(
                f"{self.state}: cannot be made private ({error.strerror}); choose a folder on a local disk with --state"
            ) from error

    def empty_spool(self) -> None:
        """Delete whatever workers left in the spool."""
        if self.spool.is_symlink():
            self.spool.unlink()
        elif self.spool.exists():
            shutil.rmtree(self.spool)
        self.spool.mkdir(mode=0o700)

    @contextmanager
    def locked(self) -> Generator[None]:
        """Held while a batch works on this output; released by the system when the process ends.

        Raises
        ------
        UsageError
            Another process holds it.
        """
        try:
            descriptor = os.open(self.state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise OutputError(f"{self.state}: cannot be written to ({error.strerror})") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{self.output}: another carrel is at work there; wait for it or stop it") from None
        except OSError:  # no locks on this disk; the journal has its own
            pass
        try:
            yield
        finally:
            os.close(descriptor)

    def write_results(self, name: str, files: dict[str, bytes]) -> None:
        """Write a page's results, each complete or not at all, and on the disk when this returns.

        Raises
        ------
        OutputError
            One of them cannot be written.
        """
        for format_name, contents in files.items():
            path = self.result(name, format_name)
            _make_durable_folders(path.parent, self.output)
            write_file(path, contents)

    def sweep(self, names: Iterable[str]) -> None:
        """Delete half-written results of these pages."""
        for name in names:
            for format_name in SUFFIXES:
                path = self.result(name, format_name)
                with suppress(OSError):
                    path.with_name(f"{path.name}.part").unlink(missing_ok=True)


def _make_durable_folders(folder: Path, root: Path) -> None:
    """Create folders below ``root``; each is known to its parent on the disk too."""
    if folder == root or folder.is_dir():
        return
    _make_durable_folders(folder.parent, root)
    try:
        folder.mkdir(exist_ok=True)
        descriptor = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be created ({error.strerror}); free space or choose another folder"
        ) from error
