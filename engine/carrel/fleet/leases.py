"""Leases: who works on which shard, told by files of which each can be created once.

The lease of a shard is a row of files, ``00001.1.json``, ``00001.2.json``, ...: who creates the next one has the shard. A
holder rewrites its own file, with a number that grows and how far it has come; it has lost the shard when the next file is
there. Whether a holder is dead, everybody tells by their own clock: the file has not changed for long. No two clocks are
compared. On one machine a holder whose process is gone is known to be dead at once.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from carrel.errors import InputError, OutputError
from carrel.fleet.shards import is_number, put_new
from carrel.output import write_file

MOST_FAILURES = 3
"""A shard that failed this often, by an error or the death of its machine, is set aside."""
ENOUGH_MACHINES = 2
"""A page that was being read when so many machines died is not read any more."""
BEATS = 6
"""In the time after which a lease is taken over."""

State = Literal["working", "released", "failed", "done"]


class Progress(Struct, frozen=True, omit_defaults=True):
    """Counts of a shard so far; ``failed`` pages and files gave no results, by ``reasons``."""

    files: int = 0
    pages: int = 0
    failed: int = 0
    review: int = 0
    lines: int = 0
    pages_left: float = 0.0
    pages_per_minute: float = 0.0
    reasons: dict[str, int] = {}


class LeaseFile(Struct, frozen=True, omit_defaults=True):
    """The contents of a lease.

    Parameters
    ----------
    machine, host
        The machine, by a digest, and by its name for people.
    kernel, pid, started
        Who can look whether the process is alive: those of the same kernel and namespace; the process, and its start.
    failures
        How often the shard failed before.
    blame
        Pages that were being read when machines died, with the machines.
    at_work
        Pages and files that are being read now.
    """

    shard: str
    generation: int
    machine: str
    host: str
    kernel: str
    pid: int
    started: str
    state: State = "working"
    beat: int = 0
    failures: int = 0
    blame: dict[str, list[str]] = {}
    at_work: list[str] = []
    reason: str = ""
    told: str = ""
    progress: Progress = Progress()

    @property
    def condemned(self) -> set[str]:
        """Pages that are not to be read any more."""
        return {page for page, machines in self.blame.items() if len(machines) >= ENOUGH_MACHINES}


@dataclass(frozen=True, slots=True)
class Machine:
    """This process on this machine, as leases name it."""

    machine: str
    host: str
    kernel: str
    pid: int
    started: str

    @classmethod
    def here(cls, name: str = "") -> Machine:
        """Return the one that runs this; ``name`` tells apart what one machine runs in several places."""
        host = socket.gethostname()
        known = _text("/etc/machine-id") + host + name
        with suppress(OSError):
            namespace = Path("/proc/self/ns/pid").stat().st_ino
            kernel = f"{_text('/proc/sys/kernel/random/boot_id')}-{namespace}"
            return cls(_digest(known), name or host, kernel, os.getpid(), process_start(os.getpid()))
        return cls(_digest(known), name or host, secrets.token_hex(8), os.getpid(), "")


def process_start(pid: int) -> str:
    """Return when a process started, in ticks since the boot; "" where there is none."""
    stat = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return stat[19] if len(stat) > 19 and stat[0] not in ("Z", "X") else ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except OSError:
        return ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Lease:
    """A shard that this process holds."""

    def __init__(
        self, folder: Path, contents: LeaseFile, beat_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.contents, self.lost = contents, False
        self._folder, self._beat_s, self._clock, self._told = folder, beat_s, clock, clock()

    @property
    def careful(self) -> bool:
        """Something failed here before: pages are told one by one, before they are read."""
        return self.contents.failures > 0 or bool(self.contents.blame)

    def tell(self, progress: Progress, at_work: Sequence[str]) -> bool:
        """Tell how far the shard is, if it is time; False where the shard is another's by now."""
        other = self.careful and set(at_work) - set(self.contents.at_work)
        if not self.lost and (other or self.due):
            self._write(progress=progress, at_work=list(at_work))
        return not self.lost

    @property
    def due(self) -> bool:
        """It is time for a beat."""
        return self._clock() - self._told >= self._beat_s

    def end(self, state: State, progress: Progress, reason: str = "") -> None:
        """Give the shard back; without a reason, that of an earlier failure stays."""
        self._write(state=state, progress=progress, reason=reason or self.contents.reason, at_work=[])

    def _write(self, **changes: object) -> None:
        self._told = self._clock()
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        changed = msgspec.structs.replace(self.contents, beat=self.contents.beat + 1, told=now, **changes)
        self.contents = changed
        with suppress(OutputError):  # a share that is away for a moment: the next beat tells
            write_file(
                path_of(self._folder, changed.shard, changed.generation), msgspec.json.encode(changed), flush=False
            )
        self.lost = path_of(self._folder, changed.shard, changed.generation + 1).exists()


class Leases:
    """The leases of all shards, as one process sees them, by its own ``clock`` in seconds."""

    def __init__(
        self, folder: Path, machine: Machine, dead_after_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder, self._machine, self._dead_after_s, self._clock = folder, machine, dead_after_s, clock
        self._seen: dict[str, tuple[bytes, float]] = {}

    def latest(self) -> dict[str, int]:
        """Return the number of the last lease of each shard that ever had one."""
        return latest(self._folder)

    def has_any(self, shard: str) -> bool:
        """Tell whether a shard ever had a lease."""
        return path_of(self._folder, shard, 1).exists()

    def latest_of(self, shard: str) -> int:
        """Return the number of the last lease of one shard, 0 where it never had one."""
        generation = 0
        while path_of(self._folder, shard, generation + 1).exists():
            generation += 1
        return generation

    def claim(self, shard: str, generation: int = 0, *, retry: bool = False) -> Lease | None:
        """Take a shard whose last lease is ``generation``, 0 where it never had one; None where it is another's or set aside.

        A shard that is done is taken, too: its results must have been moved away.

        Parameters
        ----------
        retry
            Take shards too that were set aside, and forget their failures.

        Raises
        ------
        OutputError
            The lease cannot be written.
        """
        failures, blame, reason, dead = 0, dict[str, list[str]](), "", False
        if generation:
            data, before = self._read(shard, generation)
            if before is None:
                if not self._stands_still(shard, generation, data):
                    return None
            elif before.state == "working" and not self.is_dead(before, data):
                return None
            else:
                failures, blame = inherited(before)
                dead = before.state == "working"
                reason = f"{before.host} ended while it read this shard" if dead else before.reason
        if retry:
            failures, blame, reason = 0, {}, ""
        aside = failures >= MOST_FAILURES
        if aside and not dead:
            return None
        me = self._machine
        contents = LeaseFile(
            *(shard, generation + 1, me.machine, me.host, me.kernel, me.pid, me.started),
            state="released" if aside else "working",
            failures=failures,
            blame=blame,
            reason=reason,
        )
        if not put_new(path_of(self._folder, shard, generation + 1), msgspec.json.encode(contents)) or aside:
            return None
        return Lease(self._folder, contents, self._dead_after_s / BEATS, self._clock)

    def is_dead(self, lease: LeaseFile, data: bytes) -> bool:
        """Tell whether the holder of a lease that says that it works is dead."""
        if lease.kernel == self._machine.kernel and process_start(lease.pid) != lease.started:
            return True
        return self._stands_still(lease.shard, lease.generation, data)

    def _stands_still(self, shard: str, generation: int, data: bytes) -> bool:
        now, name = self._clock(), f"{shard}.{generation}"
        known, since = self._seen.get(name, (None, now))
        if known != data:
            self._seen[name] = (data, now)
            return False
        return now - since >= self._dead_after_s

    def _read(self, shard: str, generation: int) -> tuple[bytes, LeaseFile | None]:
        return read_lease(path_of(self._folder, shard, generation))


def inherited(before: LeaseFile) -> tuple[int, dict[str, list[str]]]:
    """Return failures and blame of the next lease after one that failed, was released, or whose holder died.

    A death that condemns a page is no failure of the shard: it goes on without the page.
    """
    blame = {page: list(machines) for page, machines in before.blame.items()}
    if before.state == "done":
        return 0, blame
    if before.state == "released":
        return before.failures, blame
    if before.state == "working":
        for page in before.at_work:
            blame[page] = sorted({*blame.get(page, ()), before.machine})
        known = before.condemned
        if any(len(machines) >= ENOUGH_MACHINES for page, machines in blame.items() if page not in known):
            return before.failures, blame
    return before.failures + 1, blame


def latest(folder: Path) -> dict[str, int]:
    """Return the number of the last lease of each shard that ever had one."""
    found: dict[str, int] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                shard, _, rest = entry.name.partition(".")
                number, _, ending = rest.partition(".")
                if ending == "json" and is_number(shard, 5) and is_number(number) and int(number) > found.get(shard, 0):
                    found[shard] = int(number)
    except OSError as error:
        raise InputError(f"{folder}: cannot be looked into ({error.strerror}); is the share mounted?") from error
    return found


def path_of(folder: Path, shard: str, generation: int) -> Path:
    """Return the path of a lease."""
    return folder / f"{shard}.{generation}.json"


def read_lease(path: Path) -> tuple[bytes, LeaseFile | None]:
    """Return the bytes of a lease and what they say; None where that is nothing."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return b"", None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); is the share mounted?") from error
    try:
        return data, msgspec.json.decode(data, type=LeaseFile)
    except (msgspec.MsgspecError, ValueError):
        return data, None
