"""Folders of a batch: results, and a private folder with journal, lock, heartbeat and spool."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from carrel import system
from carrel.batch.shares import require_local
from carrel.errors import OutputError, UsageError
from carrel.output import digest_in, folder_below, make_folder, parts_of, sweep, unwritten, write_file, write_in

STATE_FOLDER = ".carrel"
MARKER = "made-by-carrel.json"
QUEUE = "review.tsv"
"""Of a shard of a fleet: its worst lines, beside the journal."""
_SPOOL = re.compile(r"spool-[0-9a-f]{16}")
_STATE_FILE = re.compile(
    r"journal\.sqlite(-wal|-shm)?(\.~\d+~)?|status\.json|lock|\.carrel-[0-9a-f]{16}\.part|shard\.jsonl|review\.tsv"
)


SHARDS_FOLDER = ".carrel-shards"


def is_fleet(output: Path) -> bool:
    """Tell whether an output folder holds shards of a fleet."""
    return (output / SHARDS_FOLDER / "fleet.json").exists()


@dataclass(frozen=True, slots=True)
class Put:
    """The end of a result: the digest of what Carrel wrote, None where it wrote nothing because a person had
    changed what was there; ``aside`` is where a file went that stood in the way and that Carrel did not write."""

    digest: str | None
    aside: str | None = None


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
    def identity(self) -> str | None:
        """The random id of the state folder; None where Carrel did not make it.

        Raises
        ------
        OutputError
            It cannot be read.
        """
        try:
            marker = json.loads((self.state / MARKER).read_bytes()[:1000])
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        except OSError as error:
            raise OutputError(
                f"{self.state}: cannot be read ({error.strerror}); choose another with --state"
            ) from error
        return marker.get("id") if isinstance(marker, dict) else None

    def make(self) -> None:
        """Create the folders, the state for this user alone.

        Raises
        ------
        OutputError
            One of them cannot be written to.
        UsageError
            The folder for the state holds what Carrel did not write, is another user's, or lies on a network share.
        """
        require_local(self.state)
        make_folder(self.output)
        make_folder(self.state)
        try:
            if self.state.is_symlink() or self.state.stat().st_uid != system.user_id():
                raise UsageError(
                    f"{self.state}: is a link or another user's folder; choose one of your own with --state"
                )
            if self.identity is None:
                if any(self.state.iterdir()):
                    raise UsageError(
                        f"{self.state}: holds files that Carrel did not write; choose a new or empty folder with --state"
                    )
                write_file(self.state / MARKER, json.dumps({"id": secrets.token_hex(16)}).encode() + b"\n")
            self.state.chmod(0o700)
        except OSError as error:
            raise OutputError(
                f"{self.state}: cannot be made private ({error.strerror}); choose a folder on a local disk with --state"
            ) from error

    def make_spool(self) -> Path:
        """Create an empty folder for workers, of a random name.

        Raises
        ------
        OutputError
            It cannot be made.
        """
        spool = self.state / f"spool-{secrets.token_hex(8)}"
        try:
            spool.mkdir(mode=0o700)
        except OSError as error:
            raise unwritten(spool, error) from error
        return spool

    def clear_spools(self) -> int:
        """Delete whatever workers left in their spools; returns how many files that were."""
        count = 0
        try:
            for entry in list(os.scandir(self.state)):
                if _SPOOL.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                    count += sum(len(files) for _, _, files in os.walk(entry.path))
                    shutil.rmtree(entry.path)
        except OSError as error:
            raise OutputError(
                f"{self.state}: cannot be emptied ({error.strerror}); delete its spool folders"
            ) from error
        return count

    def state_files(self) -> list[Path]:
        """Return the files of the state folder that Carrel wrote, the marker last."""
        files = sorted(path for path in self.state.iterdir() if _STATE_FILE.fullmatch(path.name))
        return [*files, self.state / MARKER]

    def put_journal_aside(self) -> None:
        """Rename the journal, so that a new one is begun.

        Raises
        ------
        OutputError
            It cannot be renamed.
        """
        number = next(n for n in range(1, 10**6) if not os.path.lexists(f"{self.journal}.~{n}~"))
        try:
            for end in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    Path(f"{self.journal}{end}").rename(f"{self.journal}{end}.~{number}~")
        except OSError as error:
            raise unwritten(self.journal, error) from error

    @contextmanager
    def locked(self) -> Generator[None]:
        """Yield held while a batch works on this output; released by the system when the process ends.

        Raises
        ------
        UsageError
            Another process holds it.
        """
        try:
            descriptor = os.open(
                self.state / "lock", os.O_RDWR | os.O_CREAT | system.O_CLOEXEC | system.O_NOFOLLOW, 0o600
            )
        except OSError as error:
            raise OutputError(f"{self.state}: cannot be written to ({error.strerror})") from error
        try:
            system.lock(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            raise UsageError(f"{self.output}: another carrel is at work there; wait for it or stop it") from None
        except OSError:  # no locks on this disk; the journal has its own
            pass
        try:
            yield
        finally:
            os.close(descriptor)

    def put(self, path: str, contents: bytes, before: str | None, *, lost: bool = False) -> Put:
        """Write a result, complete or not at all, and on the disk when this returns.

        Parameters
        ----------
        path
            Relative to the output folder.
        before
            Digest of what Carrel wrote there before; what has changed since is a person's, and stays.
        lost
            What stands there may be what a run wrote that was cut off, and is replaced.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        digest, aside = hashlib.sha256(contents).hexdigest(), None
        folder, _, name = path.rpartition("/")
        try:
            with folder_below(self.output, folder, make=True) as descriptor:
                there = digest_in(descriptor, name)
                if there == digest:
                    os.fsync(descriptor)
                    return Put(digest)
                if there is not None or _is_there(descriptor, name):
                    if before is not None and there != before:
                        return Put(None)
                    if before is None and not lost:
                        aside = _make_way(descriptor, name)
                write_in(descriptor, name, contents)
        except OSError as error:
            raise unwritten(self.output / path, error) from error
        return Put(digest, aside and f"{folder}/{aside}".lstrip("/"))

    def remove(self, path: str, digest: str | None = None) -> int | None:
        """Delete a result, through no link, and where a ``digest`` is given only if that is what it holds.

        Returns
        -------
        Its size in bytes; 0 where it is not there, None where it is not what it was.

        Raises
        ------
        OSError
            It cannot be deleted, or its path leads out of the output folder.
        """
        parts_of(path)
        folder, _, name = path.rpartition("/")
        try:
            with folder_below(self.output, folder) as descriptor:
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if digest is not None and digest_in(descriptor, name) != digest:
                    return None
                os.unlink(name, dir_fd=descriptor)
                return max(1, status.st_size)
        except FileNotFoundError:
            return 0

    def is_there(self, path: str) -> bool:
        """Tell whether something stands at the path of a result."""
        return os.path.lexists(self.output / path)

    def digest(self, path: str) -> str | None:
        """Return the digest of a result as it is now; None where it is not there."""
        folder, _, name = path.rpartition("/")
        try:
            parts_of(path)
            with folder_below(self.output, folder) as descriptor:
                return digest_in(descriptor, name)
        except OSError:
            return None

    def newer(self, path: str, than_ns: int) -> str | None:
        """Return the digest of a file at a result's path that was written after a time; None where there is none."""
        try:
            status = (self.output / path).lstat()
        except OSError:
            return None
        return self.digest(path) if status.st_mtime_ns >= than_ns and status.st_size else None

    def free_aside(self, path: str) -> str:
        """Return a name for a result that is to make way: ``page.txt.~1~``, ``page.txt.~2~``, ..."""
        return next(aside for n in range(1, 10**6) if not self.is_there(aside := f"{path}.~{n}~"))

    def move_aside(self, path: str, target: str) -> None:
        """Rename a result within its folder, if it is there and was not renamed before.

        Raises
        ------
        OutputError
            It cannot be renamed.
        """
        folder, _, name = path.rpartition("/")
        try:
            with folder_below(self.output, folder) as descriptor:
                if not _is_there(descriptor, to := target.rpartition("/")[2]):
                    os.rename(name, to, src_dir_fd=descriptor, dst_dir_fd=descriptor)
                    os.fsync(descriptor)
        except FileNotFoundError:
            return
        except OSError as error:
            raise unwritten(self.output / target, error) from error

    def sweep(self, folders: set[str]) -> None:
        """Delete half-written files in folders of results."""
        for folder in folders:
            with suppress(OSError), folder_below(self.output, folder) as descriptor:
                sweep(descriptor)


def _is_there(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _make_way(folder: int, name: str) -> str:
    aside = next(to for n in range(1, 10**6) if not _is_there(folder, to := f"{name}.~{n}~"))
    os.rename(name, aside, src_dir_fd=folder, dst_dir_fd=folder)
    return aside
