"""Other people's packages, each in an environment of its own, run as a worker that answers line by line.

A worker is a script of this package that reads one JSON object a line from standard input and writes one a line. So
peers and Carrel can take turns within one run, whatever versions of numpy each of them needs.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

ANSWER_LIMIT_S = 600.0


class PeerError(RuntimeError):
    """A peer that cannot be installed or that fell over."""


def peer_folder() -> Path:
    """Where environments are kept: ``$XDG_CACHE_HOME/carrel/bench``, by default under ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "carrel" / "bench"


def peer_python(name: str, packages: Sequence[str], python: str = "3.11") -> Path:
    """Interpreter of an environment with these packages (requirement strings), made if there is none yet.

    Raises
    ------
    PeerError
        The packages cannot be installed; the message is the installer's.
    """
    digest = hashlib.sha256(json.dumps([python, *packages]).encode()).hexdigest()[:10]
    folder = peer_folder() / f"{name}-{digest}"
    interpreter = folder / "bin" / "python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        for command in _installation(folder, interpreter, packages, python):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise PeerError(f"{name}: {' '.join(command[:3])} failed: {done.stderr.strip()[-600:]}")
        (folder / "complete").touch()
    return interpreter


def _installation(folder: Path, interpreter: Path, packages: Sequence[str], python: str) -> list[list[str]]:
    uv = shutil.which("uv")
    if uv:
        make = [uv, "venv", "--quiet", "--python", python, str(folder)]
        return [make, [uv, "pip", "install", "--quiet", "--python", str(interpreter), *packages]]
    make = [sys.executable, "-m", "venv", str(folder)]
    return [make, [str(interpreter), "-m", "pip", "install", "--quiet", *packages]]


class Worker:
    """A script that answers questions, each within ``limit_s``; use it as a context manager."""

    def __init__(
        self, interpreter: Path, script: Path, arguments: Sequence[str] = (), limit_s: float = ANSWER_LIMIT_S
    ) -> None:
        self._limit_s = limit_s
        own = str(interpreter) == sys.executable  # a peer has packages of its own
        foreign = () if own else ("PYTHONPATH", "VIRTUAL_ENV")
        environment = {k: v for k, v in os.environ.items() if k not in foreign}
        environment.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
        command = [str(interpreter), str(script), *arguments]
        self._name = " ".join([script.stem, *arguments])
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, **question: Any) -> dict[str, Any]:
        """Send one object, wait for one.

        Raises
        ------
        PeerError
            The worker has ended, or was ended because it took too long.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        alarm = threading.Timer(self._limit_s, self._process.kill)
        alarm.start()
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            alarm.cancel()
        if not answer:
            raise PeerError(f"worker {self._name} ended with exit status {self._process.wait()}")
        return json.loads(answer)

    def close(self) -> None:
        """End the worker."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else ""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return {"processor": model, "cores": str(os.cpu_count()), "python": sys.version.split()[0], "load": load}
