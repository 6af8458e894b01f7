"""Pages for tests of fleets: real processes and decoding, no recognition, results that every format can be made of."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from batch_pages import SLOW, _act, write_page  # pyright: ignore[reportPrivateUsage]
from carrel.formats import FORMATS
from carrel.image.source import Scan
from carrel.page import Line, Page, Region, Writing
from carrel.workers.messages import PageRead, Work

ENTRY = "fleet_pages:draw_pages"
TESTS = Path(__file__).resolve().parent


class Draw:
    """A page of one line, whose text is the digest of its pixels and whose confidence comes from it."""

    identity = "draw"

    def __call__(self, scan: Scan, formats: tuple[str, ...], contents: Callable[[], bytes], /) -> PageRead:
        _act(int(scan.gray[0, 0]) // 10)
        digest = hashlib.sha256(scan.gray.tobytes()).hexdigest()
        confidence = int(digest[:2], 16) / 256
        height_px, width_px = scan.gray.shape
        outline = ((0, 0), (width_px, 0), (width_px, height_px), (0, height_px))
        line = Line(
            id="l0",
            baseline=((0, height_px // 2), (width_px - 1, height_px // 2)),
            polygon=outline,
            writing=Writing("printed", 1.0),
            text=digest,
            confidence=confidence,
        )
        page = Page(width_px, height_px, None, (Region("MainZone", outline, (line,), "r0"),), scan.source)
        return PageRead({name: FORMATS[name].write(page) for name in formats}, 1, 0, int(confidence < 0.5))

    def write(
        self, stored: bytes, formats: tuple[str, ...], scan: Callable[[], Scan], contents: Callable[[], bytes], /
    ) -> dict[str, bytes]:
        raise AssertionError("no page of a fleet is written twice")


def draw_pages(work: Work) -> Draw:
    return Draw()


def carrel(*arguments: object, **more: str) -> subprocess.Popen[str]:
    """The command, in a process of its own."""
    code = "from carrel_cli.main import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(TESTS), **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(*arguments: object) -> tuple[int, str, str]:
    """The command to its end: exit code, stdout, stderr."""
    process = carrel(*arguments)
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def wait_until(holds: Callable[[], bool], seconds: float = 600.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def write_pages(folder: Path, numbers: range, *, slow: bool = False) -> None:
    for number in numbers:
        write_page(folder / f"box{number // 10}" / f"{number}.png", number, SLOW if slow else 0)


def texts_of_shards(output: Path) -> dict[str, str]:
    """Texts by their path below the shard, which no two shards may share here."""
    found: dict[str, str] = {}
    for path in sorted(output.glob("[0-9]*/**/*.txt")):
        name = "/".join(path.relative_to(output).parts[1:])
        assert name not in found, f"{name} is in two shards"
        found[name] = path.read_text("utf-8")
    return found


def work_shards(output: str, state: str, machine: str) -> None:
    """A machine of its own, as far as leases tell, whose workers are forked."""
    from batch_pages import fork_worker
    from carrel.errors import CarrelError
    from carrel.fleet.here import Here
    from carrel.fleet.leases import Machine
    from carrel.fleet.shards import open_fleet
    from carrel.fleet.work import Worker

    try:
        here = Here(Path(state), None, 1, {}, Machine.here(machine), launch=fork_worker, log=print)
        tally = Worker(open_fleet(Path(output)), here).work(retry=True)
    except CarrelError as error:
        print(f"stopped: {error}")
        sys.exit(error.exit_code)
    print(f"done {tally.done} lost {tally.lost}")


APART = ("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
"""Before a command: processes and network of its own, as on a machine of its own. Needs root."""


def start_machine(output: Path, state: Path, machine: str, *, apart: bool = False) -> subprocess.Popen[str]:
    """Start `work_shards` in a process group of its own, and in namespaces of its own."""
    code = f"from fleet_pages import work_shards; work_shards({str(output)!r}, {str(state)!r}, {machine!r})"
    return subprocess.Popen(
        [*(APART if apart else ()), sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
