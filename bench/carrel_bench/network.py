"""Does anything leave? Runs commands of Carrel under ``strace``, with a fresh home and CI variables unset.

``python -m carrel_bench.network --pages DIR [--seconds 60] [--isolated]`` reads pages again and again with ``read``,
``batch`` and ``watch``, a minute each, and lists every internet socket and every file written outside the output and
the cache. Telemetry of libraries often starts late and keeps quiet where it sees ``CI``: short runs and runs in CI prove
little. ``--isolated`` runs it all in a network namespace without any interface.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

WATCH_S = 20.0
"""A watch is stopped after this long and starts anew, so that it does not sit idle."""
CALLS = "socket,sendto,sendmsg,sendmmsg,openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mknod,mknodat,io_uring_setup"
_SOCKET = re.compile(r"socket\((AF_INET6?|AF_PACKET)\b.*\)\s+= (\S+)")
_OPENED = re.compile(r'(?:open|openat|creat)\((?:AT_FDCWD, )?"([^"]*)", [^)]*(?:O_WRONLY|O_RDWR|O_CREAT)[^)]*\)\s+= \d')
_MADE = re.compile(r'(?:mkdir|mkdirat|mknod|mknodat)\((?:AT_FDCWD, )?"([^"]*)".*= 0')
_LINKED = re.compile(r'(?:rename|renameat2?|link|linkat|symlink|symlinkat)\(.*"([^"]*)"[^"]*\)\s+= 0')
_SILENCING = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS")


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a command did: internet sockets it asked for (with the answer), paths it wrote to, its exit code."""

    sockets: tuple[str, ...]
    written: tuple[Path, ...]
    code: int
    stderr: str

    def outside(self, *folders: Path) -> list[Path]:
        """Paths written to that lie in none of ``folders``; devices do not count."""
        inside = (*folders, Path("/dev"), Path("/proc"))
        return [path for path in self.written if not any(path.is_relative_to(folder) for folder in inside)]


def watch_traffic(
    command: Sequence[str | Path],
    home: Path,
    *,
    isolated: bool = False,
    seconds: float | None = None,
    environment: dict[str, str] | None = None,
) -> Traffic:
    """Run a command and all its processes under ``strace``. Python keeps no bytecode meanwhile, which would count as written.

    Parameters
    ----------
    home
        A fresh folder for ``HOME`` and the working folder.
    isolated
        Without any network interface; needs ``unshare`` and the right to use it.
    seconds
        Send SIGTERM after this long; None waits for the end.

    Raises
    ------
    FileNotFoundError
        There is no ``strace``.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _SILENCING and not name.startswith("XDG_")}
    log = home.with_name(f"{home.name}.strace")
    tracer = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-s",
        "4096",
        "-o",
        str(log),
        "-e",
        f"trace={CALLS}",
        "-e",
        "signal=none",
    ]
    prefix = ["unshare", "--net", "--"] if isolated else []
    stop = ["timeout", "--preserve-status", f"{seconds:g}"] if seconds is not None else []
    done = subprocess.run(
        [*prefix, *tracer, *stop, *map(str, command)],
        env={**kept, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    text = _joined(log.read_text("utf-8", "replace"))
    sockets = tuple(f"{m.group(1)} -> {m.group(2)}" for m in _SOCKET.finditer(text))
    written = {Path(home, m.group(1)) for pattern in (_OPENED, _MADE, _LINKED) for m in pattern.finditer(text)}
    return Traffic(sockets, tuple(sorted(written)), done.returncode, done.stderr)


def _joined(log: str) -> str:
    """A log without process ids, calls that were interrupted by others put together again."""
    waiting: dict[str, str] = {}
    lines: list[str] = []
    for line in log.splitlines():
        pid, _, call = line.partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>"):
            waiting[pid] = call.removesuffix("<unfinished ...>")
        elif call.startswith("<... "):
            lines.append(waiting.pop(pid, "") + call.partition(" resumed>")[2])
        else:
            lines.append(call)
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what each command did; the exit code is 1 if anything left or was written elsewhere."""
    parser = argparse.ArgumentParser(prog="carrel_bench.network", description="Does anything leave?")
    parser.add_argument("--pages", type=Path, required=True, help="folder of scans")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each command")
    parser.add_argument("--isolated", action="store_true", help="without any network interface")
    options = parser.parse_args(arguments)
    if shutil.which("strace") is None:
        print("carrel_bench.network: no strace; apt-get install strace", file=sys.stderr)
        return 2
    bad = 0
    with tempfile.TemporaryDirectory(prefix="carrel-network-") as name:
        for kind in ("read", "batch", "watch"):
            traffic, rounds, took_s = _read_for(kind, options.pages, Path(name), options.seconds, options.isolated)
            sockets = [socket for t in traffic for socket in t.sockets]
            outside = [p for t in traffic for p in t.outside(Path(name, "out"), Path(name, f"home-{kind}", ".cache"))]
            failed = [t.stderr for t in traffic if t.code not in (0, 143)]
            bad += bool(sockets or outside or failed)
            print(f"{kind}: {rounds} runs, {took_s:.0f} s: {len(sockets)} internet sockets, {len(outside)} stray files")
            for thing in (*sockets[:5], *outside[:5], *failed[:1]):
                print(f"  {thing}")
    return int(bad > 0)


def _read_for(kind: str, pages: Path, folder: Path, seconds: float, isolated: bool) -> tuple[list[Traffic], int, float]:
    """Run one command until it has worked for ``seconds``."""
    home = folder / f"home-{kind}"
    home.mkdir()
    files = sorted(
        path.resolve() for path in pages.iterdir() if path.is_file() and path.suffix in (".jpg", ".png", ".tif")
    )
    carrel = [sys.executable, "-c", "from carrel_cli.main import main; main()"]
    start, traffic = time.monotonic(), list[Traffic]()
    while time.monotonic() - start < seconds:
        output = folder / "out" / f"{kind}-{len(traffic)}"
        output.parent.mkdir(exist_ok=True)
        commands: dict[str, list[str | Path]] = {
            "read": [*carrel, "read", *files, "-o", output, "-q"],
            "batch": [*carrel, "batch", pages.resolve(), "-o", output, "-q"],
            "watch": [*carrel, "watch", pages.resolve(), "-o", output, "--quiet-for", "0", "-q"],
        }
        limit_s = min(seconds, WATCH_S) if kind == "watch" else None
        traffic.append(watch_traffic(commands[kind], home, isolated=isolated, seconds=limit_s))
        if traffic[-1].code not in (0, 143) or not any(output.glob("*.txt")):
            raise SystemExit(f"carrel_bench.network: {kind} did no work: {traffic[-1].stderr.strip()}")
    return traffic, len(traffic), time.monotonic() - start


if __name__ == "__main__":
    sys.exit(main())
