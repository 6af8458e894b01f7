"""Filters of system calls (seccomp), as programs of classic BPF; irrevocable, and inherited by threads.

A call that is refused fails with "not permitted"; one through the table of another architecture kills the process.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterable

from carrel.system import FILTERS
from carrel.workers.syscalls import ARCHITECTURES, IN_PART, NEEDED, NEVER, SECCOMP

Step = tuple[int, int, int, int]
"""Code, jump if true, jump if false, value."""

_AF_UNIX = 1
_X32_BIT = 0x40000000
_PR_SET_NO_NEW_PRIVS, _PR_SET_NAME, _PR_SET_VMA = 38, 15, 0x53564D41
_SET_MODE_FILTER, _ALL_THREADS = 1, 1
_ALLOW, _KILL, _EPERM, _ENOSYS = 0x7FFF0000, 0x80000000, 0x00050000 | 1, 0x00050000 | 38
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16  # offsets in struct seccomp_data
_CLONE_THREAD, _NEW_NAMESPACES = 0x00010000, 0x7E020000
_TERMINAL_SIZE_AND_FLAGS = (0x5401, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
_SIGNALS_TO_OTHERS = (8, 10, 15, 1024, 1026)  # F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY


def forbid_internet() -> bool:
    """Refuse every socket but those between processes of this machine; False where this machine is not known.

    ``io_uring``, which makes sockets past the filter, and calls that reach into other processes are refused too.
    """
    refused = ("io_uring_setup", "ptrace", "process_vm_readv", "process_vm_writev")
    return _install([*_refuse(NEVER[name] for name in refused if name in NEVER), *_unix_sockets_only()], _ALLOW)


def allow_only_reading() -> bool:
    """Refuse every call that reading pages on the processor does not need: sockets, signals, programs, namespaces, shared
    memory, attributes of files, limits. False where this machine is not known."""
    return _install(reading_steps(), _EPERM)


def reading_steps() -> list[Step]:
    """Return the steps that allow what reading pages needs; what none of them allows is refused."""
    return [*_measured(), *_allow(NEEDED.values())]


def forbid_what_is_never_needed() -> bool:
    """Refuse what no worker needs, one that uses an accelerator included; False where this machine is not known."""
    return _install([*_refuse(NEVER.values()), *_threads_only()], _ALLOW)


def _measured() -> list[Step]:
    """Calls that are allowed with some arguments."""
    return [
        *_threads_only(),
        *_when("prctl", 0, (_PR_SET_NAME, _PR_SET_VMA)),
        *_when("ioctl", 1, _TERMINAL_SIZE_AND_FLAGS),
        *_when("tgkill", 0, (os.getpid(),)),  # its own threads: abort() and the like
        *_when("fcntl", 1, _SIGNALS_TO_OTHERS, allow=False),
        *_own_limits(),
    ]


def _threads_only() -> list[Step]:
    """Threads, but neither processes nor namespaces; ``clone3`` is said not to exist, so that C libraries use ``clone``."""
    return [
        *_on("clone3", [(_RETURN, 0, 0, _ENOSYS)]),
        *_on(
            "clone",
            [
                (_LOAD, 0, 0, _ARGUMENTS_AT),
                (_ANY_BIT, 1, 0, _NEW_NAMESPACES),
                (_ANY_BIT, 1, 0, _CLONE_THREAD),
                (_RETURN, 0, 0, _EPERM),
                (_RETURN, 0, 0, _ALLOW),
            ],
        ),
    ]


def _own_limits() -> list[Step]:
    """``prlimit64`` that asks for this process's own limits and sets none."""
    checks: list[Step] = []
    for at in (_ARGUMENTS_AT, _ARGUMENTS_AT + 16, _ARGUMENTS_AT + 20):  # pid; both halves of the new limit's address
        checks += [(_LOAD, 0, 0, at), (_EQUAL, 1, 0, 0), (_RETURN, 0, 0, _EPERM)]
    return _on("prlimit64", [*checks, (_RETURN, 0, 0, _ALLOW)])


def _unix_sockets_only() -> list[Step]:
    return _when("socket", 0, (_AF_UNIX,))


def _when(name: str, argument: int, values: Iterable[int], *, allow: bool = True) -> list[Step]:
    """Allow a call if its argument is one of these values, or refuse it then."""
    hit, else_ = (_ALLOW, _EPERM) if allow else (_EPERM, _ALLOW)
    steps: list[Step] = [(_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument)]
    for value in values:
        steps += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, hit)]
    return _on(name, [*steps, (_RETURN, 0, 0, else_)])


def _on(name: str, steps: list[Step]) -> list[Step]:
    """Steps for one call, each way of which returns."""
    return [(_EQUAL, 0, len(steps), IN_PART[name]), *steps] if name in IN_PART else []


def _allow(numbers: Iterable[int]) -> list[Step]:
    return [step for number in numbers for step in ((_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW))]


def _refuse(numbers: Iterable[int]) -> list[Step]:
    return [step for number in numbers for step in ((_EQUAL, 0, 1, number), (_RETURN, 0, 0, _EPERM))]


def program_of(steps: list[Step], otherwise: int, architecture: int) -> list[Step]:
    """Return the whole filter: ``steps`` for calls of this architecture, ``otherwise`` where none of them returns."""
    return [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _EPERM),
        *steps,
        (_RETURN, 0, 0, otherwise),
    ]


def _install(steps: list[Step], otherwise: int) -> bool:
    architecture = ARCHITECTURES.get(platform.machine()) if FILTERS else None
    if architecture is None or not prctl(_PR_SET_NO_NEW_PRIVS, 1):
        return False
    program = program_of(steps, otherwise, architecture)
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    number, mode = SECCOMP[platform.machine()], _SET_MODE_FILTER
    return libc.syscall(ctypes.c_long(number), ctypes.c_long(mode), ctypes.c_long(_ALL_THREADS), header) == 0


def prctl(*arguments: int) -> bool:
    """Call ``prctl``; whether it worked."""
    if not FILTERS:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    padded = (*arguments, 0, 0, 0, 0)[:5]
    return libc.prctl(*(ctypes.c_ulong(a) for a in padded)) == 0
