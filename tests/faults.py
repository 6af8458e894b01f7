"""Batches that are struck while they work: killed at a system call, refused by the disk, cut off from power.

`Striker` keeps one Python with everything imported and forks a batch from it for each blow, so that hundreds of blows
cost seconds. ``strace`` attaches to the batch and injects; it is not needed for runs without injection.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Self

from batch_pages import ENTRY, expected, fork_worker, write_page

CALLS = ("openat", "write", "fsync", "fdatasync", "renameat", "pwrite64", "unlink", "mkdirat")
"""System calls of a page's cycle at which a batch can be killed."""
_ATTACHED = re.compile(r"Process \d+ attached")


@dataclass(frozen=True)
class Scene:
    """A folder of ``count`` pages and an output folder."""

    source: Path
    output: Path
    count: int

    @classmethod
    def make(cls, source: Path, output: Path, count: int) -> Scene:
        for number in range(count):
            write_page(source / f"{number}.png", number)
        return cls(source, output, count)

    def check_cut_off(self) -> set[str]:
        """What must hold whenever the batch was cut off; returns the names of pages that the journal calls done."""
        for path in self.output.glob("*.txt"):
            assert path.read_text("utf-8") == expected(int(path.stem)), f"{path} is not whole"
        journal = self.output / ".carrel" / "journal.sqlite"
        if not journal.exists():
            return set()
        db = sqlite3.connect(journal)
        try:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'")}
            done_pages = "SELECT name FROM pages JOIN files USING(sha256) WHERE pages.state='done'"
            rows = db.execute(done_pages) if "pages" in tables else ()
            done = {str(name) for (name,) in rows}
        finally:
            db.close()
        missing = {name for name in done if not (self.output / f"{name}.txt").exists()}
        assert not missing, "pages are done in the journal and not on the disk"
        return done

    def check_complete(self) -> None:
        """Every page once, whole, nothing besides."""
        left = {p.name: p.read_text("utf-8") for p in self.output.iterdir() if p.is_file()}
        assert left == {f"{number}.txt": expected(number) for number in range(self.count)}
        assert self.check_cut_off() == {str(number) for number in range(self.count)}


def run_batch(source: str, output: str) -> str:
    """Read ``source``; the outcome as one word or the error's message."""
    from carrel.batch.folders import Folders
    from carrel.batch.intake import find_files
    from carrel.batch.run import Batch
    from carrel.batch.settings import Settings
    from carrel.errors import CarrelError

    root = Path(source)
    try:
        folders = Folders.of(Path(output))
        with Batch(root, folders, Settings(entry=ENTRY), cache=root.parent, launch=fork_worker) as batch:
            batch.add(find_files(root))
            while not batch.finished:
                batch.step()
    except CarrelError as error:
        return f"{type(error).__name__}: {error}"
    return "finished"


class Striker:
    """A context manager that forks batches and strikes them."""

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._server.stdin and self._server.stdout
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait()

    def run(self, scene: Scene, trace: Sequence[str] = (), log: Path | None = None, **limits: int) -> str:
        """Run a batch to its end, whichever that is, with ``strace`` options; ``finished``, ``killed`` or an error."""
        pid = self.start(scene, **limits)
        tracer = _attach(pid, trace, log) if trace else None
        os.kill(pid, signal.SIGCONT)
        outcome = self.outcome()
        if tracer is not None:
            tracer.communicate(timeout=30)
        return outcome

    def start(self, scene: Scene, **limits: int) -> int:
        """Fork a batch that waits for SIGCONT; its process id."""
        return int(self._ask({"source": str(scene.source), "output": str(scene.output), "limits": limits}))

    def outcome(self) -> str:
        """How the batch that was started came to its end."""
        return str(self._ask({}))

    def _ask(self, question: Mapping[str, Any]) -> Any:
        assert self._server.stdin and self._server.stdout
        self._server.stdin.write(json.dumps(question) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())


def _attach(pid: int, trace: Sequence[str], log: Path | None) -> subprocess.Popen[str]:
    tracer = subprocess.Popen(
        ["strace", "-p", str(pid), "-o", str(log or os.devnull), *trace], stderr=subprocess.PIPE, text=True
    )
    assert tracer.stderr
    line = tracer.stderr.readline()
    assert _ATTACHED.search(line), line
    return tracer


def why_no_strace() -> str:
    """Empty where system calls can be injected; else the reason."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    probe = subprocess.run(
        ["strace", "-o", os.devnull, "-e", "inject=fsync:error=EIO", "-e", "trace=fsync", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if probe.returncode == 0 else f"strace may not trace here: {probe.stderr.strip()[:80]}"


def points_of_page_cycle(log: Path, count: int) -> list[tuple[str, int]]:
    """Evenly spaced system calls of a traced run, each with how many of its name came before, itself included."""
    calls = [m.group(1) for line in log.read_text("utf-8", "replace").splitlines() if (m := re.match(r"(\w+)\(", line))]
    seen: Counter[str] = Counter()
    points: list[tuple[str, int]] = []
    for call in calls:
        seen[call] += 1
        points.append((call, seen[call]))
    first = next(i for i, (call, _) in enumerate(points) if call == "fdatasync")  # from the first commit on
    every, rarer = points[first:], [point for point in points[first:] if point[0] not in ("pwrite64", "openat")]
    return [*_spread(every, count // 2), *_spread(rarer, count - count // 2)]


def _spread(points: Sequence[tuple[str, int]], count: int) -> list[tuple[str, int]]:
    return [points[int(len(points) * i / count)] for i in range(count)]


@contextmanager
def mounted(*arguments: str | Path) -> Generator[None]:
    """``mount`` with these arguments, the last being the folder.

    Raises
    ------
    PermissionError
        Mounts are not allowed here.
    """
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PermissionError(done.stderr.strip())
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(arguments[-1])], check=True)


def _serve() -> None:
    """Fork a batch for each line with folders; answer how the last one ended for each without."""
    for module in ("carrel.batch.run", "carrel.image.source"):  # once, for all forks
        import_module(module)

    pid, end = 0, 0
    for line in sys.stdin:
        question = json.loads(line)
        if question:
            readable, writable = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(readable)
                _struck(question, writable)
            os.close(writable)
            os.waitpid(pid, os.WUNTRACED)  # it has stopped itself
            answer: str | int = pid
            end = readable
        else:
            with os.fdopen(end, encoding="utf-8") as stream:
                answer = stream.read()
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            answer = answer or ("killed" if status == -signal.SIGKILL else f"ended with {status}")
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _struck(question: Mapping[str, Any], writable: int) -> None:
    ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1 & (2**64 - 1)), 0, 0, 0)  # any process may trace this one
    os.kill(os.getpid(), signal.SIGSTOP)
    for name, value in question["limits"].items():
        resource.setrlimit(getattr(resource, name), (value, resource.getrlimit(getattr(resource, name))[1]))
    try:
        outcome = run_batch(question["source"], question["output"])
    except BaseException as error:
        outcome = f"not caught: {type(error).__name__}: {error}"
    os.write(writable, outcome.encode())
    os._exit(0)


if __name__ == "__main__":
    _serve()
