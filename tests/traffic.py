"""What a command sends and writes: it runs under ``strace``, with a fresh home and CI variables unset.

Without ``--seccomp-bpf``, which would hide calls that a worker's own filter refuses.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CALLS = "socket,sendto,sendmsg,sendmmsg,openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mknod,mknodat,io_uring_setup"
_SOCKET = re.compile(r"socket\((AF_INET6?|AF_PACKET)\b.*\)\s+= (\S+)")
_PATH = r'(?:(?:AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"([^"]*)"'
_OPENED = re.compile(rf"(?:open|openat|creat)\({_PATH}, [^)]*(?:O_WRONLY|O_RDWR|O_CREAT)[^)]*\)\s+= \d")
_MADE = re.compile(rf"(?:mkdir|mkdirat|mknod|mknodat)\({_PATH}.*= 0")
_LINKED = re.compile(rf'(?:rename|renameat2?|link|linkat|symlink|symlinkat)\({_PATH}, {_PATH}[^"]*\)\s+= 0')
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
        "-y",
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
    written = {
        Path(home, m.groups()[-2] or "", m.groups()[-1])
        for pattern in (_OPENED, _MADE, _LINKED)
        for m in pattern.finditer(text)
    }
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
