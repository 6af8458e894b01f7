"""The state of a batch: a heartbeat for whoever looks from outside, and the arithmetic of rates."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from carrel.batch.folders import Folders
from carrel.batch.journal import Counts, Reconciled
from carrel.errors import CarrelError, OutputError
from carrel.output import write_file

HEARTBEAT_S = 5.0
_WINDOW = 200  # pages that the rate is taken over


@dataclass(slots=True)
class Pace:
    """Pages a minute over the last pages of this run."""

    started: float = field(default_factory=time.monotonic)
    _ends: deque[float] = field(default_factory=lambda: deque[float](maxlen=_WINDOW))

    def page(self) -> None:
        self._ends.append(time.monotonic())

    @property
    def pages_per_minute(self) -> float:
        if not self._ends:
            return 0.0
        since = self.started if len(self._ends) < _WINDOW else self._ends[0]
        return 60.0 * len(self._ends) / max(time.monotonic() - since, 1e-3)

    def minutes_left(self, counts: Counts) -> float | None:
        """Return none before the first page."""
        rate = self.pages_per_minute
        return pages_left(counts) / rate if rate else None


def pages_left(counts: Counts) -> float:
    """Return pages to be read, with as many in a file that was not opened yet as in those that were."""
    opened = counts.files - counts.waiting_files - counts.refused_files - counts.gone - counts.duplicates
    known = counts.queued + counts.running + counts.done + counts.refused + counts.quarantined
    return counts.queued + counts.running + counts.waiting_files * (known / opened if opened > 0 else 1.0)


def summary(counts: Counts) -> str:
    """Return one line, for example ``120 pages read, 3 of them to review; 1 refused; 2 files are like others``."""
    parts = [f"{counts.done:,} {_plural('page', counts.done)} read, {counts.review:,} of them to review"]
    waiting = counts.queued + counts.running
    parts += [f"{waiting:,} waiting"] if waiting else []
    parts += [f"{counts.waiting_files:,} files not opened yet"] if counts.waiting_files else []
    refused = counts.refused + counts.refused_files
    parts += [f"{refused:,} refused"] if refused else []
    parts += [f"{counts.quarantined:,} put aside after failing twice"] if counts.quarantined else []
    parts += [f"{counts.gone:,} {_plural('file', counts.gone)} went away while waiting"] if counts.gone else []
    blind = counts.unreadable
    parts += [f"{blind:,} {_plural('folder', blind)} could not be looked into"] if blind else []
    equal = counts.duplicates
    parts += [f"{equal:,} {_plural('file', equal)} equal to others, read once"] if equal else []
    return "; ".join(parts)


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def reconciliation(done: Reconciled) -> str:
    """Return what became of the files that were found, for example ``6 files found: 5 read, 1 went away``."""
    parts = [
        (done.read, "read"),
        (done.refused, "refused"),
        (done.put_aside, "put aside"),
        (done.gone, "went away"),
        (done.waiting, "waiting"),
    ]
    told = ", ".join(f"{number:,} {what}" for number, what in parts if number)
    return f"{done.found:,} {_plural('file', done.found)} found: {told or 'none'}"


def write_heartbeat(folders: Folders, doing: str, counts: Counts, pace: Pace) -> None:
    """Replace the status file; a disk that does not take it stops nothing."""
    left = pace.minutes_left(counts)
    status = {
        "doing": doing,
        "pid": os.getpid(),
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "pages_per_minute": round(pace.pages_per_minute, 2),
        "minutes_left": None if left is None else round(left, 1),
        **asdict(counts),
    }
    with suppress(OutputError):
        write_file(folders.heartbeat, json.dumps(status, indent=1).encode() + b"\n", flush=False)


def told_jump(last_s: float, now_s: float) -> str:
    """Return what to say of a clock that cannot have been right all the time."""
    last, now = (datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M") for at in (last_s, now_s))
    return f"the clock went from {last} to {now} since the last look: no result is deleted for that time"


def read_heartbeat(folders: Folders) -> dict[str, Any]:
    """Return the last status of the run that works on these folders; ``{}`` where none is at work."""
    try:
        with folders.locked():
            return {}
    except CarrelError:
        pass  # somebody holds the lock, or we may not look
    try:
        status = json.loads(folders.heartbeat.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return status if isinstance(status, dict) else {}
