"""A Dask cluster that is struck while it reads: workers killed, one paused, the scheduler started anew.

usage: python tests/soak_cluster.py [PAGES [SIZE]]      default: 200 pages in shards of 10; needs the extra [fleet]
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from fleet_pages import ENTRY, TESTS, carrel, wait_until, write_pages
from soak_fleet import check

_PROGRAM = "import sys; from distributed.cli.dask_{0} import main; sys.exit(main())"


def start(kind: str, folder: Path, *arguments: object) -> subprocess.Popen[bytes]:
    """A scheduler or worker of Dask in a process group of its own, a machine's state of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
        "XDG_STATE_HOME": str(folder),
    }
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM.format(kind), *map(str, arguments)],
        env=environment,
        cwd=folder.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """A port of the loopback interface that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def soak(folder: Path, pages: int, size: int) -> None:
    """Four workers: two are killed, one is paused past its lease, the scheduler is killed and started anew."""
    write_pages(folder / "in", range(pages), slow=True)
    output, port = folder / "out", free_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler_arguments = ("--host", "127.0.0.1", "--port", port, "--no-dashboard")
    worker_arguments = (
        address,
        "--nthreads",
        1,
        "--no-nanny",
        "--no-dashboard",
        "--memory-limit",
        0,
        "--host",
        "127.0.0.1",
    )
    with ExitStack() as stack:
        scheduler = start("scheduler", folder / "s", *scheduler_arguments)
        stack.callback(lambda: end(scheduler))
        workers = [start("worker", folder / f"w{number}", *worker_arguments) for number in range(4)]
        stack.callback(lambda: [end(worker) for worker in workers])
        client = carrel(
            *("fleet", folder / "in", "-o", output, "--scheduler", address, "--size", size, "--workers", 1),
            *("-f", "text,json", "--pages-with", ENTRY, "--quiet-for", 0, "--dead-after", 5),
        )

        def done() -> int:
            return len(list(output.glob("[0-9]*")))

        def going(shards: int) -> None:
            wait_until(lambda: done() >= shards or client.poll() is not None, 600)
            assert client.poll() is None, client.communicate()

        going(2)
        print(f"{done()} shards done: a worker is killed", flush=True)
        end(workers[0])
        going(4)
        print(f"{done()} shards done: another is killed, a third paused, a new one comes", flush=True)
        end(workers[1])
        os.killpg(workers[2].pid, signal.SIGSTOP)
        workers.append(start("worker", folder / "w4", *worker_arguments))
        going(8)
        print(f"{done()} shards done: the scheduler is killed, and started anew with its workers", flush=True)
        end(scheduler)
        time.sleep(2)
        scheduler = start("scheduler", folder / "s", *scheduler_arguments)
        os.killpg(workers[2].pid, signal.SIGCONT)
        workers += [start("worker", folder / f"w{number}", *worker_arguments) for number in (5, 6)]
        out, err = client.communicate(timeout=600)
        print(err, flush=True)
        assert client.returncode == 0 and "Traceback" not in err, (out, err)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        started = time.monotonic()
        number = int((sys.argv[1:] or ["200"])[0])
        soak(Path(place), number, int((sys.argv[2:] or ["10"])[0]))
        check(Path(place), number)
        print(f"every page once, equal to the batch's; {time.monotonic() - started:.0f} s")
