"""A hot folder: looks every few seconds, which works on network drives too, and takes a file when it has come to rest."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from carrel.batch.intake import Found, find_files
from carrel.batch.journal import Original
from carrel.batch.names import printable
from carrel.batch.run import Batch
from carrel.errors import InputError, OutputError
from carrel.output import make_folder
from carrel.workers.files import GoneError, SeenFile, has_writer, open_unchanged

DOCUMENT_FILE = "document.jsonl"
"""A suffix that no format has: no result can be named so."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """Choices for watching a hot folder.

    Parameters
    ----------
    every_s
        Seconds between looks.
    quiet_s
        A file is taken when neither its size nor its time has changed for this long.
    marker
        Name of a file that says a folder is complete; nothing is taken from a folder before it is there.
    originals
        What becomes of a file after all its pages were read. Others are never deleted; with "move" they go to
        ``refused``.
    done, refused
        Folders for originals that are moved.
    every_file
        Also take files whose names do not end like a scan's.
    """

    every_s: float = 5.0
    quiet_s: float = 10.0
    marker: str | None = None
    originals: Literal["keep", "move", "delete"] = "keep"
    done: Path | None = None
    refused: Path | None = None
    every_file: bool = False


class Watcher:
    """Feeds a `Batch` from its folder, and deals with originals when their pages are on the disk."""

    def __init__(self, batch: Batch, options: WatchOptions, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._batch, self._options, self._clock = batch, options, clock
        self._resting: dict[Path, tuple[SeenFile, float]] = {}
        self._taken: dict[Path, SeenFile] = {}
        self._next = 0.0
        self._blind = False
        self._documents: set[str] = set()

    def step(self) -> None:
        """Look if it is time, and read on."""
        if self._clock() >= self._next and not self._batch.stopping:
            self._next = self._clock() + self._options.every_s
            self.look()
        self._batch.step()
        self._deal_with_originals()

    def look(self) -> None:
        """Take the files that have come to rest."""
        found = self._found()
        self._tell_blind(self._batch.root in found.unreadable)
        now = self._clock()
        files = [file for file in found.files if self._complete(file.path.parent)]
        before = self._resting
        self._resting = {}
        for file in files:
            seen, since = before.get(file.path, (file, now))
            self._resting[file.path] = (file, since if seen == file else now)
        rested = [file for file, since in self._resting.values() if now - since >= self._options.quiet_s]
        new = Found([file for file in rested if self._taken.get(file.path) != file and is_complete(file)])
        if new.files and self._batch.patiently(lambda: self._batch.add(new)):
            self._taken.update((file.path, file) for file in new.files)
        self._taken = {path: file for path, file in self._taken.items() if path in self._resting}

    def _found(self) -> Found:
        """What lies in the hot folder; nothing where a link or a file has taken its place: that is another's."""
        root = self._batch.root
        if root.is_symlink() or not root.is_dir():
            return Found(unreadable=[root])
        return find_files(root, self._batch.folders.output, every=self._options.every_file)

    def _complete(self, folder: Path) -> bool:
        marker = self._options.marker
        return marker is None or (folder / marker).is_file()

    def _tell_blind(self, blind: bool) -> None:
        if blind and not self._blind:
            self._batch.log("the input folder cannot be looked into; trying again")
        self._blind = blind

    def _deal_with_originals(self) -> None:
        if self._batch.key is None:
            return
        for original in self._batch.journal.finished_files():
            departed = self._deal_with(original)
            if departed is None:
                continue
            file = original.file
            self._batch.patiently(lambda file=file, gone=departed: self._batch.journal.settle_file(file, departed=gone))
            self._documents.add(self._batch.document(file.path))
        for document in sorted(self._documents):
            if self._write_document(document):
                self._documents.discard(document)

    def _deal_with(self, original: Original) -> bool | None:
        """Whether an original has left its place; None where it is written to and is to be looked at again."""
        options, file = self._options, original.file
        target = options.done if original.all_read else options.refused
        try:
            if options.originals == "delete" and original.all_read:
                return _delete(original)
            if options.originals == "move" and target is not None:
                name = original.name or f"{self._batch.document(file.path)}/{printable(file.path.stem)}".lstrip("/")
                return _move(original, target / f"{name}{file.path.suffix}")
        except OutputError as error:
            why = (
                error.__cause__.strerror if isinstance(error.__cause__, OSError) else "the folder cannot be written to"
            )
            self._batch.log(f"an original stays where it is: {why}")
        except GoneError:  # another file stands there by now, or none
            return not file.path.exists()
        except InputError:
            pass
        return False

    def _write_document(self, document: str) -> bool:
        """The list of a document's pages, once none of them is waited for; True when it is written or not needed."""
        if not document:
            return True
        waiting = (f for path, (f, _) in self._resting.items() if self._taken.get(path) != f)
        if any(self._batch.document(file.path) == document for file in waiting):
            return False
        pages = self._batch.journal.pages_below(document)
        if any(state in ("queued", "running") for _, state in pages):
            return False
        entries = [{"name": name.rpartition("/")[2], "state": state} for name, state in pages]
        contents = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries).encode()
        return self._batch.patiently(lambda: self._list(f"{document}/{DOCUMENT_FILE}", contents))

    def _list(self, path: str, contents: bytes) -> None:
        put = self._batch.folders.put(path, contents, self._batch.journal.digest_of(path))
        if put.digest is not None:
            self._batch.journal.listed(path, put.digest)


def is_complete(file: SeenFile) -> bool:
    """Tell whether a file can be opened and nobody writes to it, as far as the system tells; one that may not be read counts
    as complete, so that it is refused."""
    try:
        with open_unchanged(file, empty=True) as descriptor:
            return not has_writer(descriptor)
    except GoneError:
        return False
    except InputError as error:
        return isinstance(error.__cause__, PermissionError)


def _delete(original: Original) -> bool | None:
    with open_unchanged(original.file, empty=True) as descriptor:
        if not _is_what_was_read(original, descriptor):
            return None
        try:
            original.file.path.unlink()
        except OSError as error:
            raise OutputError(f"{original.file.path}: cannot be deleted") from error
    return True


def _is_what_was_read(original: Original, descriptor: int) -> bool:
    """Whether the whole file is what was read, and nobody writes to it."""
    if has_writer(descriptor):
        return False
    with os.fdopen(os.dup(descriptor), "rb") as stream:
        if original.sha256 not in (None, hashlib.file_digest(stream, "sha256").hexdigest()):
            raise GoneError
    return not has_writer(descriptor)


def _move(original: Original, target: Path) -> bool | None:
    file = original.file
    with open_unchanged(file, empty=True) as descriptor:
        if not _is_what_was_read(original, descriptor):
            return None
        make_folder(target.parent)
        target = _free(target)
        try:
            file.path.rename(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise OutputError(f"{file.path}: cannot be moved") from error
            _move_across(file, descriptor, target)
    return True


def _move_across(file: SeenFile, descriptor: int, target: Path) -> None:
    """To another disk: the copy is complete and flushed before the original goes."""
    part = target.with_name(f".carrel-{secrets.token_hex(8)}.part")
    try:
        with os.fdopen(os.dup(descriptor), "rb") as source, part.open("xb") as copy:
            source.seek(0)
            shutil.copyfileobj(source, copy)
            copy.flush()
            os.fsync(copy.fileno())
        part.replace(target)
        file.path.unlink()
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise OutputError(f"{file.path}: cannot be moved") from error


def _free(path: Path) -> Path:
    """``path``, or the first of ``name-2``, ``name-3``, ... that is not taken."""
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.stem[:200]}-{number}{path.suffix}")
    return free
