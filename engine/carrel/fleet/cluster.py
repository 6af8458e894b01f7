"""Shards through Dask distributed: a scheduler hands them to workers, new ones too, and replaces those that die.

What a task carries is the name of a shard: lists, leases and results are files, so that whatever happens to scheduler,
workers and this process, what is done stays done, and the rest is handed out again.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import secrets
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from carrel.batch.plan import plan_workers
from carrel.errors import CarrelError, UsageError
from carrel.fleet.here import Here, clear_share, default_state
from carrel.fleet.leases import Machine
from carrel.fleet.picking import set_aside
from carrel.fleet.shards import Fleet, open_fleet
from carrel.fleet.work import Worker
from carrel.output import write_file

PATIENCE_S = 600.0
"""A scheduler that is away for longer is given up."""
PAUSE_S = 5.0
LOOK_S = 0.5
STOP_LOOK_S = 5.0
"""Between looks of a worker at the share, whether it is to stop."""
_CONFIG = {
    "distributed.scheduler.allowed-failures": 3,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.tick.limit": "60s",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.worker.multiprocessing-method": "forkserver",
}
"""Of Dask: what looks at workers many times a second is off, since a task takes minutes."""
TRIMMING = "MALLOC_TRIM_THRESHOLD_"
"""Set by Dask for its workers: processes that read would inherit it, give memory back after every step and fault it in anew."""
_MISSING = "carrel fleet needs Dask distributed; pip install 'carrel[fleet]'"


@dataclass(frozen=True, slots=True)
class Choices:
    """Choices of all machines of a cluster, as they travel to them: paths as text, ``running`` as in `Here`."""

    state: str | None = None
    source: str | None = None
    workers: int | None = None
    running: tuple[tuple[str, Any], ...] = ()
    retry: bool = False
    stop_file: str = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """The way to a cluster: the address of a scheduler, or how many local processes make one; files for TLS."""

    scheduler: str | None = None
    local: int | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


def read_all(
    fleet: Fleet,
    reach: Reach,
    choices: Choices,
    *,
    log: Callable[[str], None],
    stopping: Callable[[], bool],
    look: Callable[[], None] = lambda: None,
) -> None:
    """Read all shards on a cluster, until each is done or set aside, or until this process is to stop.

    Parameters
    ----------
    log
        Called with one line at a time.
    stopping
        Asked several times a second whether to stop: pages at work finish, shards are given back.
    look
        Called about twice a second.

    Raises
    ------
    UsageError
        Dask is not installed, or the memory will not do.
    CarrelError
        The scheduler cannot be reached, or no worker can read.
    """
    stop_file = fleet.control / f"stop-{secrets.token_hex(8)}"
    choices = _local(fleet, reach, replace(choices, stop_file=str(stop_file)))
    away_s = -1.0  # since when; before the first connection there is nothing to wait for
    try:
        while _left(fleet, choices) and not stopping():
            try:
                with connected(reach, log) as client:
                    away_s = 0.0
                    _read(fleet, client, choices, log, stopping, look)
            except (OSError, TimeoutError) as error:  # Dask's own errors of connections are such
                now_s = time.monotonic()
                away_s = away_s or now_s
                if away_s < 0 or now_s - away_s > PATIENCE_S or reach.local is not None:
                    raise CarrelError(
                        f"the scheduler cannot be reached ({one_line(error)}); start it, then the same again"
                    ) from error
                log(f"the scheduler is away ({type(error).__name__}); trying again every {PAUSE_S:g} s")
                time.sleep(PAUSE_S)
    finally:
        stop_file.unlink(missing_ok=True)
        clear_share(fleet, fleet.done())


def one_line(error: Exception) -> str:
    """Return the first line of an error of Dask's."""
    return (str(error) or type(error).__name__).splitlines()[0][:300]


def _local(fleet: Fleet, reach: Reach, choices: Choices) -> Choices:
    """For processes of one machine: one reader each, and the share of memory and threads that the planner gives it."""
    if reach.local is None:
        return choices
    running = dict(choices.running)
    plan = plan_workers(replace(fleet.plan.work.options, **running), workers=reach.local)
    running |= {"memory_bytes": plan.options.memory_bytes, "threads": plan.options.threads}
    return replace(choices, workers=1, running=tuple(running.items()))


def _left(fleet: Fleet, choices: Choices) -> list[str]:
    """Shards that are neither done nor set aside."""
    gone = fleet.done() | (set() if choices.retry else set(set_aside(fleet)))
    return [shard for shard in fleet.shards() if shard not in gone]


def _read(
    fleet: Fleet,
    client: Any,
    choices: Choices,
    log: Callable[[str], None],
    stopping: Callable[[], bool],
    look: Callable[[], None],
) -> None:
    """Hand out what is left, again and again, until nothing is or the scheduler is lost."""
    distributed, broken = import_module("distributed"), set[str]()
    while (left := _left(fleet, choices)) and not stopping():
        names = [f"carrel-{shard}-{secrets.token_hex(4)}" for shard in left]
        futures = client.map(
            work_shard, [str(fleet.output)] * len(left), left, [choices] * len(left), key=names, pure=False
        )
        answers, held = distributed.as_completed(futures), 0
        while answers.count():
            for future in answers.next_batch(block=False):
                held += _settle(future, client, broken, log)
            look()
            if stopping():
                write_file(Path(choices.stop_file), b"")
                client.cancel(futures)
                _let_finish(fleet)
                return
            time.sleep(LOOK_S)
        if client.status not in ("running", "newly-created"):
            raise ConnectionError("the connection to the scheduler was lost")
        if held:
            time.sleep(PAUSE_S)
        choices = replace(choices, retry=False)


def _settle(future: Any, client: Any, broken: set[str], log: Callable[[str], None]) -> bool:
    """Say what became of a shard; True where it is another's for now.

    Raises
    ------
    CarrelError
        No worker can read.
    """
    if future.status == "finished":
        shard, outcome, reason, address = future.result()
        if outcome == "broken":
            broken.add(address)
            if set(client.scheduler_info(n_workers=-1)["workers"]) <= broken:
                raise CarrelError(f"no worker can read; the last said: {reason}")
            log(f"the worker at {address} cannot read and gets no more shards: {reason}")
            client.retire_workers([address], close_workers=False)
        elif outcome == "failed":
            log(f"shard {shard} failed at {address}: {reason}")
        return outcome in ("held", "lost")
    if future.status == "error":
        log(f"a shard was lost with its worker ({type(future.exception()).__name__}); it is handed out again")
    return future.status == "cancelled"


def _let_finish(fleet: Fleet, seconds: float = 60.0) -> None:
    """Wait for the pages at work: until no lease beats as working any more."""
    from carrel.fleet.status import status_of

    until = time.monotonic() + seconds
    while time.monotonic() < until and any(not at.silent for at in status_of(fleet).at_work):
        time.sleep(0.5)


@contextmanager
def connected(reach: Reach, log: Callable[[str], None]) -> Generator[Any]:
    """Open a client of the scheduler, or of a cluster of local processes, which ends with it.

    Raises
    ------
    UsageError
        Dask is not installed.
    OSError
        The scheduler does not answer.
    """
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        raise UsageError(f"{_MISSING} ({error})") from error
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters, the shards' own state tells
    with import_module("dask").config.set(_CONFIG):
        if reach.local is None:
            with distributed.Client(reach.scheduler, security=_security(distributed, reach), timeout=30) as client:
                _greet(client, log)
                yield client
            return
        _import_once()
        with (
            distributed.LocalCluster(
                n_workers=reach.local,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                memory_limit=0,  # Carrel keeps its own
                security=True,  # keys made for this run: other users of the machine stay outside
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            _greet(client, log)
            yield client


def _import_once() -> None:
    """Start the process that local workers are forked from, with what they need imported; each of them would take 2 s of CPU
    for that."""
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "critical")  # of the workers, from their import on
    multiprocessing.get_context("forkserver").set_forkserver_preload(["distributed", __name__])
    forkserver.ensure_running()


def _security(distributed: Any, reach: Reach) -> Any:
    if reach.ca is None:
        return None
    return distributed.Security(
        tls_ca_file=str(reach.ca),
        tls_client_cert=str(reach.cert),
        tls_client_key=str(reach.key),
        require_encryption=True,
    )


def _greet(client: Any, log: Callable[[str], None]) -> None:
    address = client.scheduler.address
    workers = len(client.scheduler_info(n_workers=-1)["workers"])
    has_dashboard = import_module("importlib.util").find_spec("bokeh") is not None
    link = client.dashboard_link if has_dashboard else "none; pip install bokeh"
    log(f"scheduler {address}, {workers} workers; dashboard: {link}")


def work_shard(output: str, shard: str, choices: Choices) -> tuple[str, str, str, str]:
    """Read one shard, on a worker of the cluster; returns its name, the outcome, a reason, and the worker's address."""
    address = import_module("distributed").get_worker().address
    try:
        worker = shard_worker(output, choices)
    except CarrelError as error:
        return shard, "broken", str(error), address
    try:
        return shard, worker.work_one(shard, retry=choices.retry), "", address
    except CarrelError as error:
        return shard, "failed" if worker.sound else "broken", str(error), address
    finally:
        worker.clear()


@lru_cache(maxsize=1)
def shard_worker(output: str, choices: Choices) -> Worker:
    """Return what works shards in this process of a cluster."""
    os.environ.pop(TRIMMING, None)
    stop = Path(choices.stop_file)
    seen = [0.0, False]

    def stopping() -> bool:
        if not seen[1] and time.monotonic() - seen[0] > STOP_LOOK_S:
            seen[:] = [time.monotonic(), stop.exists()]
        return bool(seen[1])

    here = Here(
        Path(choices.state) if choices.state else default_state(),
        Path(choices.source) if choices.source else None,
        choices.workers,
        dict(choices.running),
        Machine.here(),
        stopping,
    )
    return Worker(open_fleet(Path(output)), here)
