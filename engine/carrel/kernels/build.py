"""``carrel warm``: all kernels compiled ahead of time, into a library where there is a linker, into numba's cache elsewhere."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from carrel.kernels.native import (
    DIGEST,
    ENTRIES,
    LIBRARY,
    kernel,
    kernel_folder,
    open_library,
    private_folder,
    processor,
)

LINKERS = ("cc", "clang", "ld", "ld.lld")


@dataclass(frozen=True, slots=True)
class Warmed:
    """What `warm` made: the folder, None where none is private, and whether there is a library in it."""

    folder: Path | None
    library: bool


def warm(others: Sequence[Path] = ()) -> Warmed:
    """Compile every kernel, so that no page waits for it, and drop machine code of earlier versions.

    Parameters
    ----------
    others
        Further cache folders to put the same into.
    """
    folder = kernel_folder()
    if folder is None:
        return Warmed(None, False)
    library = open_library(folder) is not None or build_library(folder)
    if not library:
        for name in ENTRIES:
            kernel(name)
    for copy in filter(None, map(private_folder, others)):
        ignored = shutil.ignore_patterns("tmp*")
        shutil.copytree(folder, copy, ignore=ignored, copy_function=_put, dirs_exist_ok=True)
        _drop_others(copy)
    _drop_others(folder)
    return Warmed(folder, library)


def build_library(folder: Path) -> bool:
    """Compile all kernels into the library of a private folder; False where no linker is found or it fails."""
    from carrel.kernels.compiled import machine_code

    linkers = [path for command in LINKERS if (path := shutil.which(command))]
    if not linkers:
        return False
    with TemporaryDirectory(prefix="tmp", dir=folder) as scratch:
        code, linked = Path(scratch) / "kernels.o", Path(scratch) / LIBRARY
        code.write_bytes(machine_code())
        # without -lm: where only the linker itself is installed, the mathematics come from the interpreter's process
        tries = [
            [linker, "-shared", "-o", str(linked), str(code), *more] for more in (["-lm"], []) for linker in linkers
        ]
        if not any(map(_runs, tries)):
            return False
        linked.chmod(0o600)
        digest = hashlib.sha256(linked.read_bytes()).hexdigest()
        # library and digest do not match for a moment: then neither is used
        linked.replace(folder / LIBRARY)
        written = Path(scratch) / DIGEST
        written.write_text(digest, "ascii")
        written.replace(folder / DIGEST)
    return open_library(folder) is not None


def _runs(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _put(source: str, target: str) -> None:
    """Copy a file to a new place on the disk: running processes may have the old one in their memory."""
    shutil.copyfile(source, f"{target}.part")
    Path(f"{target}.part").replace(target)


def _drop_others(folder: Path) -> None:
    for other in folder.parent.iterdir():
        if other != folder and other.name.startswith(processor()):
            shutil.rmtree(other, ignore_errors=True)
