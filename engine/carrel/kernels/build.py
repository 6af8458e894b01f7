"""``carrel warm``: kernels compiled ahead of time, into a library where there is a linker, into numba's cache elsewhere."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from carrel.kernels.lookup import kernel
from carrel.kernels.native import DIGESTS, LIBRARY, belongs, digests, shipped_folder, writable_folder
from carrel.kernels.records import ENTRIES

LINKERS = ("cc", "clang", "ld", "ld.lld")


@dataclass(frozen=True, slots=True)
class Warmed:
    """Results of `warm`: the folder, None where none is private, and whether there is a library in it."""

    folder: Path | None
    library: bool


def warm(others: Sequence[Path] = ()) -> Warmed:
    """Compile every kernel where Carrel brings no library for this machine, so that no page waits for it.

    What other versions have compiled is left alone.

    Parameters
    ----------
    others
        Further cache folders to put the same into.
    """
    if belongs(shipped_folder()):
        return Warmed(shipped_folder(), True)
    folder = writable_folder()
    if folder is None:
        return Warmed(None, False)
    library = belongs(folder) or build_library(folder)
    if not library:
        for name in ENTRIES:
            kernel(name)
    for copy in filter(None, map(writable_folder, others)):
        ignored = shutil.ignore_patterns("tmp*")
        shutil.copytree(folder, copy, ignore=ignored, copy_function=_put, dirs_exist_ok=True)
    return Warmed(folder, library)


def build_library(folder: Path) -> bool:
    """Compile all kernels for this processor into the library of a folder; False without a linker or if it fails."""
    from carrel.kernels.compiled import machine_code

    linkers = [path for command in LINKERS if (path := shutil.which(command))]
    if not linkers:
        return False
    code = machine_code()
    # without -lm: where only the linker itself is installed, the mathematics come from the interpreter's process
    return any(link(code, folder, [linker, *more]) for more in (["-lm"], []) for linker in linkers)


def link(code: bytes, folder: Path, linker: Sequence[str]) -> bool:
    """Return link an object file into the library of a folder, with digests beside it; False if the linker fails.

    Parameters
    ----------
    code
        Of `carrel.kernels.compiled`.
    linker
        A command and the options that follow the object file.
    """
    command, *options = linker
    with TemporaryDirectory(prefix="tmp", dir=folder) as scratch:
        object_file, linked, told = (Path(scratch) / name for name in ("kernels.o", LIBRARY, DIGESTS))
        object_file.write_bytes(code)
        done = subprocess.run(
            [command, "-shared", "-s", "-o", str(linked), str(object_file), *options], capture_output=True, check=False
        )
        if done.returncode:
            return False
        linked.chmod(0o600)
        told.write_text(digests(linked.read_bytes()), "utf-8")
        # library and digests do not match for a moment: then neither is used
        linked.replace(folder / LIBRARY)
        told.replace(folder / DIGESTS)
    return True


def _put(source: str, target: str) -> None:
    """Copy a file to a new place on the disk: running processes may have the old one in their memory."""
    shutil.copyfile(source, f"{target}.part")
    Path(f"{target}.part").replace(target)
