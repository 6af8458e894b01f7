"""Folders in an object store (S3), through fsspec: scans that are fetched to a local disk, and results that are put there.

Only the machine's own process talks to the store and knows its keys; workers see local files. An object is there whole or not
at all; nothing is renamed, since a store copies for that.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from carrel.batch.intake import Found, natural
from carrel.errors import InputError, OutputError, UsageError
from carrel.image.files import SCAN_SUFFIXES, shown

SCHEME = "s3://"
MOST_NAME_BYTES = 255
"""Of one part of a key: what a local file may be called."""
_CHUNK_BYTES = 2**20
_MISSING = "s3:// needs s3fs; pip install 'carrel[s3]'"


def is_url(place: object) -> bool:
    """Tell whether a place is named by an address, not by a path."""
    return isinstance(place, str) and "://" in place


@dataclass(frozen=True, slots=True)
class Stored:
    """An object: its name below the folder, and when it was changed."""

    name: str
    size_bytes: int
    changed_ns: int


class ObjectFolder:
    """A folder of an object store; ``url`` is its address, without a slash at its end.

    Raises
    ------
    UsageError
        The address is none of S3, or s3fs is not installed.
    """

    def __init__(self, url: str) -> None:
        bucket = url.removeprefix(SCHEME).strip("/")
        if not url.startswith(SCHEME) or not bucket:
            raise UsageError(f"{shown(url)}: no address of a store; name it like {SCHEME}bucket/folder")
        self.url = SCHEME + bucket
        self._root = bucket
        try:
            s3fs = import_module("s3fs")
        except ImportError as error:
            raise UsageError(f"{_MISSING} ({error})") from error
        self._system: Any = s3fs.S3FileSystem(use_listings_cache=False)

    def walk(self, found: Found, *, every: bool = False) -> Iterator[Stored]:
        """Yield all scans below the folder in the order of `carrel.batch.intake.walk_files`, one folder at a time; count the
        rest in ``found``.

        Raises
        ------
        InputError
            There is nothing.
        UsageError
            The store cannot be reached.
        """
        folders = [""]
        while folders:
            folder = folders.pop()
            with self._reached():
                try:
                    entries = self._system.ls(f"{self._root}/{folder}".rstrip("/"), detail=True, refresh=True)
                except FileNotFoundError:
                    raise InputError(f"{self.url}: there is nothing; check the name") from None
            named = sorted(((str(entry["name"]).rpartition("/")[2], entry) for entry in entries), key=_by_name)
            inner = [name for name, entry in named if entry["type"] == "directory" and is_sound(name)]
            for name, entry in named:
                if entry["type"] == "directory" or not name:  # an empty name is the folder's own mark
                    continue
                taken = every or os.path.splitext(name)[1].lower() in SCAN_SUFFIXES  # noqa: PTH122
                if taken and is_sound(name) and name not in inner:
                    yield Stored(folder + name, int(entry["size"]), _changed_ns(entry))
                else:
                    found.others += 1
            folders.extend(f"{folder}{name}/" for name in reversed(inner))

    def fetch(self, name: str, folder: Path, most_bytes: int) -> Path | None:
        """Copy an object into a local folder, with its time, whole or not at all; None where there is none.

        What is there already and unchanged is left alone; one of more than ``most_bytes`` becomes a file of that size
        without contents, which is refused for it.

        Raises
        ------
        OutputError
            The local file cannot be written.
        UsageError
            The store cannot be reached.
        """
        target = folder / name
        with self._reached():
            try:
                entry = self._system.info(f"{self._root}/{name}", refresh=True)
                size_bytes, changed_ns = int(entry["size"]), _changed_ns(entry)
                if _is_there(target, size_bytes, changed_ns):
                    return target
                with _beside(target) as aside:
                    if size_bytes > most_bytes:
                        os.truncate(aside, size_bytes)
                    else:
                        self._system.get_file(f"{self._root}/{name}", str(aside))
                        if aside.stat().st_size != size_bytes:
                            raise ConnectionError(f"{name} was cut short, or replaced meanwhile")
                    os.utime(aside, ns=(changed_ns, changed_ns))
            except FileNotFoundError:
                return None
        return target

    def put(self, name: str, path: Path) -> None:
        """Write an object with the contents of a local file.

        Raises
        ------
        UsageError
            The store cannot be reached.
        """
        with self._reached():
            self._system.put_file(str(path), f"{self._root}/{name}")

    def remove(self, name: str) -> None:
        """Delete an object, if there is one.

        Raises
        ------
        UsageError
            The store cannot be reached.
        """
        with self._reached():
            try:
                self._system.rm_file(f"{self._root}/{name}")
            except FileNotFoundError:
                return

    def names(self, folder: str) -> set[str]:
        """Return the names of all objects below a folder of this one, as seen from there.

        Raises
        ------
        UsageError
            The store cannot be reached.
        """
        root = f"{self._root}/{folder}".rstrip("/")
        with self._reached():
            try:
                return {str(path).removeprefix(f"{root}/") for path in self._system.find(root)}
            except FileNotFoundError:
                return set()

    def entries(self) -> set[str]:
        """Return the names of the folder's own objects and folders, without what these hold.

        Raises
        ------
        UsageError
            The store cannot be reached.
        """
        with self._reached():
            try:
                return {
                    str(path).rpartition("/")[2] for path in self._system.ls(self._root, detail=False, refresh=True)
                }
            except FileNotFoundError:
                return set()

    def digest(self, name: str) -> str | None:
        """Return the SHA-256 of an object; None where there is none.

        Raises
        ------
        UsageError
            The store cannot be reached.
        """
        digest = hashlib.sha256()
        with self._reached():
            try:
                with self._system.open(f"{self._root}/{name}", "rb", cache_type="readahead") as stream:
                    while chunk := stream.read(_CHUNK_BYTES):
                        digest.update(chunk)
            except FileNotFoundError:
                return None
        return digest.hexdigest()

    @contextmanager
    def _reached(self) -> Generator[None]:
        """What fails inside is told as Carrel's errors: botocore's are of many kinds, which have no base with ``OSError``."""
        try:
            yield
        except (InputError, OutputError, UsageError):
            raise
        except Exception as error:
            raise UsageError(
                f"{self.url}: cannot be reached ({type(error).__name__}: {str(error)[:200]}); check keys, region and"
                " AWS_ENDPOINT_URL"
            ) from error


def _by_name(named: tuple[str, Any]) -> Any:
    return natural(named[0])


def is_sound(name: str) -> bool:
    """Tell whether one part of a key is a name that a visible local file may have."""
    return 0 < len(os.fsencode(name)) <= MOST_NAME_BYTES and not name.startswith(".") and "\0" not in name


def _changed_ns(entry: dict[str, Any]) -> int:
    changed = entry.get("LastModified")
    return int(changed.timestamp() * 1e6) * 1000 if changed is not None else 0


def _is_there(path: Path, size_bytes: int, changed_ns: int) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (size_bytes, changed_ns)


@contextmanager
def _beside(target: Path) -> Generator[Path]:
    """Yield a new file that becomes ``target`` at the end."""
    aside = target.with_name(f".carrel-{secrets.token_hex(8)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield aside
        aside.replace(target)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO):
            raise
        raise OutputError(
            f"{target.parent}: the scan cannot be fetched there ({error.strerror}); free space, or make smaller shards"
        ) from error
    finally:
        aside.unlink(missing_ok=True)
