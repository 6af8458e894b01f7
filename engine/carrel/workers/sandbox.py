"""Limits of a worker, which may not reach the internet, write outside its spool, grow without bound, leave a core dump.

Linux only: a seccomp filter and Landlock rules, both through ctypes and both irrevocable. On kernels without Landlock,
and on processors whose system calls are not listed here, the functions do what they can and say what they did.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
from collections.abc import Iterable
from pathlib import Path

OPEN_FILES = 256
# numbers of system calls: (audit architecture, socket, io_uring_setup, ptrace, process_vm_readv, process_vm_writev)
_MACHINES = {
    "x86_64": (0xC000003E, 41, 425, 101, 310, 311),
    "aarch64": (0xC00000B7, 198, 425, 117, 270, 271),
}
_AF_UNIX = 1
_X32_BIT = 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 1, 4, 38, 22
_SECCOMP_MODE_FILTER = 2
_ALLOW, _KILL, _EPERM = 0x7FFF0000, 0x80000000, 0x00050000 | 1
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # classic BPF
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16  # offsets in struct seccomp_data
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on all machines
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
_FIRST_VERSION_RIGHTS = (1 << 13) - 1
_NETWORK_RIGHTS = 0b11  # bind and connect of TCP


def limit_resources(memory_bytes: int | None) -> None:
    """Allow few open files, and at most ``memory_bytes`` of private memory that can be written to."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    if memory_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


def die_with_parent(parent: int) -> None:
    """Kill this process when its parent ends, however that comes about."""
    _prctl(_PR_SET_PDEATHSIG, 9)
    if os.getppid() != parent:  # it had ended before
        os._exit(1)


def forbid_dumps() -> None:
    """Forbid core dumps of this process; no other process of the same user may look into its memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(_PR_SET_DUMPABLE, 0)


def forbid_internet() -> bool:
    """Refuse every socket but those between processes of this machine; False where this machine is not known.

    ``io_uring``, which makes sockets past the filter, and calls that reach into other processes are refused too. A call
    through the table of another architecture kills the process.
    """
    numbers = _MACHINES.get(platform.machine())
    if numbers is None or not _prctl(_PR_SET_NO_NEW_PRIVS, 1):
        return False
    program = _filter(*numbers)
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    return _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(header))


def _filter(architecture: int, socket: int, *refused: int) -> list[tuple[int, int, int, int]]:
    """Steps of (code, jump if true, jump if false, value)."""
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _EPERM),
    ]
    for number in refused:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _EPERM)]
    return [
        *steps,
        (_EQUAL, 0, 3, socket),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_EQUAL, 1, 0, _AF_UNIX),
        (_RETURN, 0, 0, _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]


def confine_files(readable: Iterable[Path], writable: Iterable[Path]) -> int:
    """Take away every file outside these folders; returns the version of Landlock, 0 where the kernel has none.

    The calling thread and those it starts later are confined; call it before there are others.
    """
    version = _syscall(_CREATE_RULESET, 0, 0, 1)
    if version < 1 or not _prctl(_PR_SET_NO_NEW_PRIVS, 1):
        return 0
    rights = _FIRST_VERSION_RIGHTS
    rights |= (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    rights |= _IOCTL_DEVICE if version >= 5 else 0
    attributes = ctypes.create_string_buffer(struct.pack("<QQ", rights, _NETWORK_RIGHTS if version >= 4 else 0), 16)
    size = 16 if version >= 4 else 8
    rules = _syscall(_CREATE_RULESET, ctypes.addressof(attributes), size, 0)
    if rules < 0:
        return 0
    reading = _EXECUTE | _READ_FILE | _READ_DIR
    for path in readable:
        _allow(rules, path, reading)
    for path in writable:
        _allow(rules, path, rights)
    _allow(rules, Path("/dev"), (reading | _WRITE_FILE | _IOCTL_DEVICE) & rights)
    done = _syscall(_RESTRICT_SELF, rules, 0, 0)
    os.close(rules)
    return version if done == 0 else 0


def _allow(rules: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # what is not there needs no rule
        return
    if not path.is_dir():
        rights &= _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE
    rule = ctypes.create_string_buffer(struct.pack("<Qi", rights, descriptor), 12)
    _syscall(_ADD_RULE, rules, 1, ctypes.addressof(rule), 0)
    os.close(descriptor)


def _syscall(*arguments: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return int(libc.syscall(*(ctypes.c_long(a) for a in arguments)))


def _prctl(*arguments: int) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    padded = (*arguments, 0, 0, 0, 0)[:5]
    return libc.prctl(*(ctypes.c_ulong(a) for a in padded)) == 0
