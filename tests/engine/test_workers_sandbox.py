"""What a worker may not do is refused, and each refusal is one that the system gave: nothing is hidden by a tracer."""

from __future__ import annotations

import importlib.util
import json
import platform
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from carrel.workers.seccomp import Step
from carrel.workers.syscalls import ARCHITECTURES, IN_PART, NEEDED, NEVER

ALLOW, KILL, EPERM = 0x7FFF0000, 0x80000000, 0x00050001


def trial(outside: Path) -> dict[str, object]:
    command = [sys.executable, "-P", "-m", "carrel.workers.trial", str(outside)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_every_deed_is_refused(tmp_path: Path) -> None:
    answer = trial(tmp_path)
    if not answer["calls"] or not answer["landlock"]:
        pytest.skip("this kernel or processor cannot confine")
    assert answer["tried"] == dict.fromkeys(answer["tried"], "refused")  # type: ignore[call-overload]
    assert list(tmp_path.iterdir()) == []


def test_the_same_deeds_are_allowed_without_the_filter(tmp_path: Path) -> None:
    """Or the trial proves nothing."""
    code = (
        "import json, sys; from pathlib import Path; from carrel.workers import trial;"
        "print(json.dumps({n: trial._tried(d) for n, d in trial._deeds(Path(sys.argv[1])).items()"
        " if n not in ('another process', 'link')}))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    allowed = {name for name, outcome in json.loads(done.stdout).items() if outcome == "ALLOWED"}
    assert allowed > {"IPv4 socket", "Unix socket", "signal to another process", "another program", "mode of a file"}


@pytest.mark.skipif(not NEEDED, reason="no numbers for this processor")
def outcome(program: list[Step], architecture: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """What the kernel would do: the program run over one call."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, *arguments, *([0] * (6 - len(arguments))))
    at = accumulator = 0
    while True:
        code, if_true, if_false, value = program[at]
        if code == 0x06:
            return value
        if code == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, value)
            at += 1
            continue
        hit = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: accumulator & value != 0}[code]
        at += 1 + (if_true if hit else if_false)


@pytest.mark.parametrize("machine", sorted(ARCHITECTURES))
def test_the_filter_of_each_machine_allows_what_is_needed_alone(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with monkeypatch.context() as patched:
        tables = fresh("carrel.workers.syscalls")
        patched.setitem(sys.modules, "carrel.workers.syscalls", tables)
        seccomp = fresh("carrel.workers.seccomp")
    architecture, other = (ARCHITECTURES[name] for name in (machine, *(set(ARCHITECTURES) - {machine})))
    program = seccomp.program_of(seccomp.reading_steps(), EPERM, architecture)
    assert len(program) < 4096
    assert len(tables.NEEDED) > 80 and len(tables.NEVER) > 50
    for number in tables.NEEDED.values():
        assert outcome(program, architecture, number) == ALLOW
        assert outcome(program, other, number) == KILL
    for name, number in tables.NEVER.items():
        assert outcome(program, architecture, number) == EPERM, name
    thread, process = 0x00010000, 0
    assert outcome(program, architecture, tables.IN_PART["clone"], (thread,)) == ALLOW
    assert outcome(program, architecture, tables.IN_PART["clone"], (process,)) == EPERM
    assert outcome(program, architecture, tables.IN_PART["clone"], (thread | 0x10000000,)) == EPERM
    assert outcome(program, architecture, tables.IN_PART["socket"], (2,)) == EPERM
    assert outcome(program, architecture, tables.IN_PART["fcntl"], (3, 1024)) == EPERM
    assert outcome(program, architecture, tables.IN_PART["tgkill"], (1,)) == EPERM
    assert outcome(program, architecture, tables.IN_PART["prlimit64"], (0, 7, 1 << 32)) == EPERM
    assert outcome(program, architecture, 5000) == EPERM


def fresh(name: str) -> Any:
    """The module executed anew, for another machine."""
    found = importlib.util.find_spec(name)
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("machine", sorted(HEADERS))
def test_numbers_are_those_of_the_kernel(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not HEADERS[machine].exists():
        pytest.skip(f"{HEADERS[machine]} is not installed")
    defined = re.findall(r"^#define\s+__NR(?:3264)?_(\w+)\s+(\d+)$", HEADERS[machine].read_text("ascii"), re.MULTILINE)
    right = {name: int(number) for name, number in defined}
    right.setdefault("newfstatat", right.get("fstatat", -1))
    monkeypatch.setattr(platform, "machine", lambda: machine)
    tables = fresh("carrel.workers.syscalls")
    newer = {"fchmodat2"}  # Linux 6.6
    ours = {**tables.NEEDED, **tables.IN_PART, **tables.NEVER}
    assert {name: right.get(name) for name in ours if name not in newer} == {
        name: number for name, number in ours.items() if name not in newer
    }


def test_no_call_is_both_needed_and_never_needed() -> None:
    assert not set(NEEDED) & set(NEVER) and not set(IN_PART) & (set(NEEDED) | set(NEVER))
    numbers = [*NEEDED.values(), *IN_PART.values(), *NEVER.values()]
    assert len(numbers) == len(set(numbers))
    assert set(ARCHITECTURES) == {"x86_64", "aarch64"}
