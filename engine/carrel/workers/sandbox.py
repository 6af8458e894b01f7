"""Confinement of a worker: no files outside its spool, no growth without bound, no core dump.

Linux only: Landlock and limits, irrevocable; `carrel.workers.seccomp` filters system calls. On kernels without
Landlock, and on processors whose system calls are not listed, the functions do what they can and say what they did.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from carrel import system
from carrel.system import resource
from carrel.workers.seccomp import prctl

OPEN_FILES = 256
MOST_FILE_BYTES = 2**26
"""Of a file that a worker writes: compiled kernels, temporary files of libraries."""
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on all machines
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
_FIRST_VERSION_RIGHTS = (1 << 13) - 1
_NETWORK_RIGHTS = 0b11  # bind and connect of TCP
_SCOPES = 0b11  # abstract Unix sockets, signals
_HARMLESS_DEVICES = tuple(Path("/dev", name) for name in ("null", "zero", "full", "random", "urandom"))


def limit_resources(memory_bytes: int | None) -> None:
    """Limit open files, the size of files written, and private memory that can be written to to ``memory_bytes``."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_FILE_BYTES, MOST_FILE_BYTES))
    if memory_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


def die_with_parent(parent: int) -> None:
    """Kill this process when its parent ends, however that comes about."""
    prctl(_PR_SET_PDEATHSIG, 9)
    if os.getppid() != parent:  # it had ended before
        os._exit(1)


def forbid_dumps() -> None:
    """Refuse core dumps of this process, and that another process of the same user looks into its memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl(_PR_SET_DUMPABLE, 0)


def confine_files(readable: Iterable[Path], writable: Iterable[Path], *, devices: bool = False) -> int:
    """Take away every file outside these folders; returns the version of Landlock, 0 where the kernel has none.

    Of ``/dev`` only what gives nothing, zeros and chance stays, with ``devices`` all of it: drivers of accelerators need it.
    From version 6 on, signals to other processes and abstract sockets are taken away too. The calling thread and those it starts later are confined; call it before there are others.
    """
    version = _syscall(_CREATE_RULESET, 0, 0, 1) if system.FILTERS else 0
    if version < 1 or not prctl(_PR_SET_NO_NEW_PRIVS, 1):
        return 0
    rights = _FIRST_VERSION_RIGHTS
    rights |= (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    rights |= _IOCTL_DEVICE if version >= 5 else 0
    network, scopes = _NETWORK_RIGHTS if version >= 4 else 0, _SCOPES if version >= 6 else 0
    attributes = ctypes.create_string_buffer(struct.pack("<QQQ", rights, network, scopes), 24)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _syscall(_CREATE_RULESET, ctypes.addressof(attributes), size, 0)
    if ruleset < 0:
        return 0
    reading = _EXECUTE | _READ_FILE | _READ_DIR
    for path in readable:
        _allow(ruleset, path, reading)
    for path in writable:
        _allow(ruleset, path, rights)
    for path in (Path("/dev"),) if devices else _HARMLESS_DEVICES:
        _allow(ruleset, path, (reading | _WRITE_FILE | _IOCTL_DEVICE) & rights)
    done = _syscall(_RESTRICT_SELF, ruleset, 0, 0)
    os.close(ruleset)
    return version if done == 0 else 0


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, system.O_PATH | system.O_CLOEXEC)
    except OSError:  # what is not there needs no rule
        return
    if not path.is_dir():
        rights &= _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE
    rule = ctypes.create_string_buffer(struct.pack("<Qi", rights, descriptor), 12)
    _syscall(_ADD_RULE, ruleset, 1, ctypes.addressof(rule), 0)
    os.close(descriptor)


def _syscall(*arguments: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return int(libc.syscall(*(ctypes.c_long(a) for a in arguments)))
