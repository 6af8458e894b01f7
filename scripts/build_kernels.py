"""Build the libraries of kernels that Carrel brings, one for each kind of processor: ``make kernels``.

The code is for the oldest processor of a kind and needs the C and mathematics libraries alone. Numba compiles it once,
for x86-64; the module is then given the names of another system. Products and sums are never fused, so that all
processors compute the same bits.

``python scripts/build_kernels.py [--check] [ARCHITECTURE ...]`` needs ``cc`` and, for aarch64, ``aarch64-linux-gnu-gcc`` (Debian:
apt-get install gcc-aarch64-linux-gnu). ``--check`` writes nothing and fails where it would: the same sources, numba and
linker make the same bytes.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

# read by numba when it is imported: what it decides by the processor at hand is decided for any
os.environ |= {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "PYTHONHASHSEED": "0"}

from carrel.kernels import native
from carrel.kernels.build import link
from carrel.kernels.compiled import assembly, llvm, object_code

FOLDER = Path(native.__file__).parent
LINK = ("-nostartfiles", "-Wl,--build-id=none", "-Wl,-z,defs", "-lm")


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of processor: its system as LLVM names it, its oldest model, its linkers."""

    triple: str
    cpu: str
    linkers: tuple[str, ...]


TARGETS = {
    "x86_64": Target("x86_64-unknown-linux-gnu", "x86-64", ("x86_64-linux-gnu-gcc", "cc")),
    "aarch64": Target("aarch64-unknown-linux-gnu", "generic", ("aarch64-linux-gnu-gcc",)),
}


def portable(text: str, target: Target) -> str:
    """Return a module in LLVM's assembly for another system, without what would be fused there.

    Raises
    ------
    ValueError
        The module holds instructions of one kind of processor.
    """
    if found := re.search(r"llvm\.(x86|aarch64|arm)\.[\w.]+", text):
        raise ValueError(f"{found[0]}: an instruction of one processor; write the kernel without it")
    text = re.sub(r"(?m)^target triple = .*$", f'target triple = "{target.triple}"', text)
    layout = llvm.Target.from_triple(target.triple).create_target_machine(cpu=target.cpu).target_data
    text = re.sub(r"(?m)^target datalayout = .*$", f'target datalayout = "{layout}"', text)
    text = re.sub(r" contract\b", "", text)
    if "llvm.fmuladd" in text:
        raise ValueError("llvm.fmuladd: fused on some processors alone; write the product and the sum")
    return text


def main(arguments: Sequence[str]) -> int:
    """Build the libraries of the named architectures, all by default; those without a linker are told."""
    check, names = "--check" in arguments, [name for name in arguments if name != "--check"] or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        return _fail(f"{', '.join(unknown)}: not one of {', '.join(TARGETS)}")
    if platform.machine() != "x86_64":
        return _fail("build the kernels on x86-64: numba compiles for the machine at hand")
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    text = assembly()
    with TemporaryDirectory() as scratch:
        root = Path(scratch) if check else FOLDER
        return max(
            _build(root / name, text, TARGETS[name]) or (_compare(root / name) if check else 0) for name in names
        )


def _build(folder: Path, text: str, target: Target) -> int:
    linker = next((path for command in target.linkers if (path := shutil.which(command))), None)
    if linker is None:
        return _fail(f"{folder.name}: not built, none of {', '.join(target.linkers)} is installed")
    folder.mkdir(exist_ok=True)
    if not link(object_code(portable(text, target), target.cpu), folder, [linker, *LINK]):
        return _fail(f"{folder.name}: {linker} failed")
    library = folder / native.LIBRARY
    library.chmod(0o644)
    print(f"{folder.name}: {library.stat().st_size:,} bytes", file=sys.stderr)
    return 0


def _compare(folder: Path) -> int:
    for name in (native.LIBRARY, native.DIGESTS):
        kept = FOLDER / folder.name / name
        if not kept.is_file() or kept.read_bytes() != (folder / name).read_bytes():
            return _fail(f"{kept}: not what its sources make here; run make kernels, and commit both")
    return 0


def _fail(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
