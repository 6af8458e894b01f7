"""Worker processes that answer questions, in an environment of their own: peers and Carrel take turns within one run."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import carrel
from carrel.cache_folders import cache_root
from carrel_bench.figures import BenchError, warn
from carrel_bench.measure import Cost, Name

ANSWER_LIMIT_S = 600.0
"""Longest answer, s: training apart, nothing here takes so long."""
DRIVER = Path(__file__).with_name("answer.py")


class PeerError(BenchError):
    """A peer that cannot be installed or that failed."""


def peer_folder() -> Path:
    """Return where environments are kept: ``$XDG_CACHE_HOME/carrel/bench``, by default under ``~/.cache``."""
    return cache_root() / "bench"


def peer_python(name: str, packages: Sequence[str], python: str = "3.11") -> Path:
    """Return the interpreter of an environment with these packages (requirement strings), made if there is none yet.

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
                raise PeerError(f"{name}: {' '.join(command[:5])} failed: {done.stderr.strip()[-600:]}")
        (folder / "complete").touch()
    warn(", ".join(f"{package} {version}" for package, version in versions_of(interpreter, packages).items()))
    return interpreter


def optional_python(name: str, packages: Sequence[str], given: Path | None = None) -> Path | None:
    """Return ``given``, else as `peer_python`; None, named on stderr, where that cannot be made."""
    try:
        return given or peer_python(name, packages)
    except PeerError as error:
        warn(f"left out, it has to be installed from the network: {error}")
        return None


def _installation(folder: Path, interpreter: Path, packages: Sequence[str], python: str) -> list[list[str]]:
    found = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    uv = [found] if found else [sys.executable, "-m", "uv"]
    make = [*uv, "venv", "--quiet", "--python", python, str(folder)]
    return [make, [*uv, "pip", "install", "--quiet", "--python", str(interpreter), *packages]]


def versions_of(python: Path, packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of packages (requirement strings) in the environment of an interpreter."""
    sites = [str(site) for site in python.parents[1].glob("lib/python*/site-packages")]
    found = {each.name.lower(): each.version for each in distributions(path=sites)}
    names = [re.split(r"[^\w.-]", package, maxsplit=1)[0].lower() for package in packages]
    return {name: found[name] for name in names if name in found}


def own_packages() -> dict[str, str]:
    """Return the environment in which another interpreter finds the packages of this project."""
    folders = Path(carrel.__file__).parents[2]
    paths = [folders / name for name in ("engine", "export", "models")]
    given = paths if paths[1].is_dir() else [Path(carrel.__file__).parents[1]]
    return {"PYTHONPATH": os.pathsep.join(map(str, given))}


class Worker(AbstractContextManager["Worker"]):
    """A script that answers questions (see `carrel_bench.answer`), each within ``limit_s``; a context manager."""

    def __init__(
        self,
        interpreter: Path | str,
        script: Path,
        arguments: Sequence[str] = (),
        limit_s: float = ANSWER_LIMIT_S,
        environment: dict[str, str] | None = None,
    ) -> None:
        self._limit_s = limit_s
        own = str(interpreter) == sys.executable  # a peer has packages of its own
        foreign = () if own else ("PYTHONPATH", "VIRTUAL_ENV")
        variables = {k: v for k, v in os.environ.items() if k not in foreign}
        variables.update(OMP_NUM_THREADS="1", OMP_THREAD_LIMIT="1", OPENBLAS_NUM_THREADS="1")
        command = [str(interpreter), "-P", str(DRIVER), str(script), *arguments]
        self._name = " ".join([script.stem, *arguments])
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables | (environment or {})
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._questions, self._answers = self._process.stdin, self._process.stdout

    def ask(self, **question: Any) -> dict[str, Any]:
        """Send one object, wait for one.

        Raises
        ------
        PeerError
            The worker has ended, or was ended because it took too long.
        """
        alarm = threading.Timer(self._limit_s, self._process.kill)
        alarm.start()
        try:
            self._questions.write(json.dumps(question) + "\n")
            self._questions.flush()
            answer = self._answers.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            alarm.cancel()
        if not answer:
            raise PeerError(f"worker {self._name} ended with exit status {self._process.wait()}")
        return json.loads(answer)

    def asking(self, **question: Any) -> Callable[[], Cost]:
        """Return a question as work that can be measured; its cost is what the worker says."""

        def work() -> Cost:
            answer = self.ask(**question)
            return Cost(answer["wall_s"], answer["cpu_s"], answer["peak_mib"], answer)

        return work

    def close(self) -> None:
        """End the worker."""
        self._questions.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()

    def __exit__(self, *_: object) -> None:
        self.close()


def take_turns(
    programs: Mapping[Name, Callable[[], Worker]], questions: Iterable[Mapping[str, Any]]
) -> dict[Name, list[Cost]]:
    """Ask every program each question in turn; what each answer cost. One that fails is left out, and named on stderr.

    A program starts with its first question, so that nothing else runs while it does.
    """
    costs: dict[Name, list[Cost]] = {name: [] for name in programs}
    workers: dict[Name, Worker] = {}
    with ExitStack() as stack:
        for question in questions:
            for name in tuple(costs):
                try:
                    workers[name] = workers.get(name) or stack.enter_context(programs[name]())
                    costs[name].append(workers[name].asking(**question)())
                except PeerError as error:
                    warn(f"left out: {error}")
                    del costs[name]
    return costs
