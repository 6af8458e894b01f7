"""The shards of a folder: lists of its files in a stable order, written once, and how all of them are to be read.

``OUT/.carrel-shards`` holds ``fleet.json``, ``lists/00001.txt``, ``leases/`` and ``work/``; ``OUT/00001`` holds the results
of the first shard, and is there when all of them are.
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from carrel import system
from carrel.batch.folders import SHARDS_FOLDER
from carrel.batch.intake import Found, walk_files
from carrel.errors import InputError, OutputError, UsageError
from carrel.fleet.store.objects import ObjectFolder
from carrel.image.files import shown
from carrel.output import make_folder, unwritten, write_file
from carrel.workers.messages import Work

CONTROL = SHARDS_FOLDER
DEAD_AFTER_S = 180.0
"""A lease that stands still this long is taken over: NFS keeps attributes for up to 60 s, and three beats may be late."""


class Plan(Struct, frozen=True):
    """Settings of all shards; ``source`` is the folder of scans as the machine sees it that made the lists.

    Parameters
    ----------
    id
        Random; names the local folders of machines.
    work, formats
        What all pages have in common, as in `carrel.batch.settings.Settings`.
    page_timeout_s, decode_timeout_s
        As in `carrel.workers.pool.Limits`.
    dead_after_s
        Seconds that a lease may stand still.
    scans_url, results_url
        Folders of a store (``s3://``) for scans and results; "" where they lie in ``source`` and in the output folder.
    """

    id: str
    source: Path
    work: Work
    formats: tuple[str, ...]
    page_timeout_s: float = 300.0
    decode_timeout_s: float = 60.0
    dead_after_s: float = DEAD_AFTER_S
    version: int = 1
    scans_url: str = ""
    results_url: str = ""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The shards of an output folder."""

    output: Path
    plan: Plan

    @property
    def control(self) -> Path:
        return self.output / CONTROL

    @property
    def leases(self) -> Path:
        return self.control / "leases"

    def list_of(self, shard: str) -> Path:
        """Return the path of a shard's list."""
        return self.control / "lists" / f"{shard}.txt"

    def shards(self) -> list[str]:
        """Return the names of all shards in their order."""
        names = (name for name in _names(self.control / "lists") if name.endswith(".txt"))
        return sorted((name[:-4] for name in names if is_number(name[:-4], 5)), key=int)

    def done(self) -> set[str]:
        """Return the shards whose results are there."""
        return {name for name in _names(self.output) if is_number(name, 5)}

    def files_of(self, shard: str) -> list[str]:
        """Return the paths that a shard lists, relative to the source."""
        try:
            data = self.list_of(shard).read_bytes()
        except OSError as error:
            raise InputError(f"{self.list_of(shard)}: cannot be read ({error.strerror}); copy it back") from error
        return [os.fsdecode(name) for name in data.split(b"\0" if b"\0" in data else b"\n") if name]

    def sizes(self) -> dict[str, int]:
        """Return the number of files of each shard."""
        try:
            known = msgspec.json.decode((self.control / "sizes.json").read_bytes(), type=dict[str, int])
        except (OSError, msgspec.MsgspecError):
            known = {}
        return {shard: known[shard] if shard in known else len(self.files_of(shard)) for shard in self.shards()}


def open_fleet(output: Path) -> Fleet:
    """Return the shards of an output folder.

    Raises
    ------
    InputError
        There are none, or their plan is damaged.
    """
    path = output.resolve() / CONTROL / "fleet.json"
    try:
        plan = msgspec.json.decode(path.read_bytes(), type=Plan, dec_hook=_rich)
    except FileNotFoundError:
        raise InputError(
            f"{shown(output)}: no shards there; make them with carrel shard IN -o {shown(output)}"
        ) from None
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(f"{path}: cannot be read ({error}); copy it back or make the shards anew elsewhere") from error
    return Fleet(output.resolve(), plan)


def begin_fleet(output: Path, plan: Plan) -> Fleet:
    """Return the shards of an output folder, begun by this plan if there are none.

    Raises
    ------
    UsageError
        They were begun with another source or other options.
    OutputError
        The folder cannot be written to.
    """
    output = output.resolve()
    control = output / CONTROL
    if not plan.scans_url and (output == plan.source or plan.source.is_relative_to(control)):
        raise UsageError(f"{output}: results would lie among the scans; choose another folder with -o")
    if plan.scans_url and f"{plan.results_url}/".startswith(f"{plan.scans_url}/"):
        raise UsageError(f"{plan.results_url}: results would lie among the scans; choose another folder")
    if not (control / "fleet.json").exists():
        for folder in (output, control / "lists", control / "leases", control / "work"):
            make_folder(folder)
        put_new(control / "fleet.json", msgspec.json.format(msgspec.json.encode(plan, enc_hook=_plain), indent=1))
    fleet = open_fleet(output)
    if msgspec.structs.replace(plan, id=fleet.plan.id) != fleet.plan:
        raise UsageError(
            f"{output}: was begun with another folder of scans or other options; give the same, or choose another with -o"
        )
    return fleet


@dataclass(frozen=True, slots=True)
class Listed:
    """Counts of what `list_new` did: new files and shards, files listed before, files that were too new, and what was left
    alone: other files, folders that could not be looked into."""

    files: int
    shards: int
    known: int
    too_new: int
    others: int
    unreadable: int


def list_new(fleet: Fleet, size: int, *, every: bool = False, quiet_s: float = 10.0) -> Listed:
    """List the files that no list has, ``size`` to a shard, in the order of their folders and names.

    Parameters
    ----------
    every
        Also list files whose name does not end like a scan's.
    quiet_s
        Leave files for the next time that changed within so many seconds.

    Raises
    ------
    OutputError
        A list cannot be written, or another process writes lists there.
    CarrelError
        The scans lie in a store that has none, or cannot be reached.
    """
    sizes = fleet.sizes()
    known = {path for shard in sizes for path in fleet.files_of(shard)}
    before, found, too_new, pending = len(known), Found(), 0, list[str]()
    number, shards, new = max(map(int, sizes), default=0), len(sizes), 0
    for name, changed_ns in _walk(fleet, found, every=every):
        if name in known:
            continue
        if 0 <= time.time() - changed_ns / 1e9 < quiet_s:
            too_new += 1
            continue
        new += 1
        pending.append(name)
        if len(pending) == size:
            number += 1
            _put_list(fleet, f"{number:05d}", pending, sizes)
            pending = []
    if pending:
        number += 1
        _put_list(fleet, f"{number:05d}", pending, sizes)
    write_file(fleet.control / "sizes.json", msgspec.json.encode(sizes))
    return Listed(new, len(sizes) - shards, before, too_new, found.others, len(found.unreadable))


def _walk(fleet: Fleet, found: Found, *, every: bool) -> Iterator[tuple[str, int]]:
    """Names of all scans below the source, and when they were changed."""
    plan = fleet.plan
    if plan.scans_url:
        for scan in ObjectFolder(plan.scans_url).walk(found, every=every):
            yield scan.name, scan.changed_ns
        return
    for file in walk_files(plan.source, fleet.output, found, every=every):
        yield str(file.path.relative_to(plan.source)), file.changed_ns


def _put_list(fleet: Fleet, shard: str, names: list[str], sizes: dict[str, int]) -> None:
    end = "\0" if any("\n" in name or "\r" in name for name in names) else "\n"
    if not put_new(fleet.list_of(shard), os.fsencode("".join(name + end for name in names))):
        raise OutputError(
            f"{fleet.list_of(shard)}: was made meanwhile; another carrel shard is at work there, wait for it"
        )
    sizes[shard] = len(names)


def is_number(name: str, digits: int = 1) -> bool:
    """Tell whether a name is a number of so many digits at least."""
    return digits <= len(name) <= 9 and name.isascii() and name.isdecimal()


def put_new(path: Path, contents: bytes) -> bool:
    """Write a file that is not there yet, whole and flushed; False where one is: of several that try, one succeeds.

    A hard link is made under the name, which network file systems refuse where a file of it is; on disks without links
    the file itself is created so.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    aside = path.with_name(f".carrel-{secrets.token_hex(8)}.part")
    try:
        _write_new(aside, contents)
        try:
            os.link(aside, path, follow_symlinks=False)
        except FileExistsError:
            return aside.stat().st_nlink == 2  # the answer to a first try was lost on the way
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
                raise
            with suppress(FileExistsError):
                _write_new(path, contents)
                return True
            return False
        finally:
            aside.unlink()
    except OSError as error:
        raise unwritten(path, error) from error
    return True


def _write_new(path: Path, contents: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | system.O_NOFOLLOW | system.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(contents)
        file.flush()
        os.fsync(file.fileno())


def _names(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"{folder}: cannot be looked into ({error.strerror}); is the share mounted?") from error


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError


def _rich(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError
