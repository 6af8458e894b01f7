"""Build a folder that runs Carrel on any Linux of a kind of processor, and packs of it: ``build_bundle.py WHEEL FOLDER``.

The folder holds Debian's Python, the locked packages without the compiler (the kernels come built), the models,
Tesseract's languages, man pages and completions, and ``bin/carrel``; it may be moved. Beside it come ``.tar.zst``,
``.deb`` and the sums of both, signed by ``CARREL_SIGN_KEY``. The same inputs make the same bytes
(``SOURCE_DATE_EPOCH``).

``--machine aarch64`` builds for that kind of processor on any other: nothing of the bundle is run.
Needs ``uv``, ``zstd``, Debian's ``apt-get``, ``dpkg-deb`` and ``readelf``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import carrel
from bundle_debian import Debian, copy_languages, copy_python, fetch, run
from bundle_packs import EPOCH, deb, tar, write_sums
from bundle_parts import Part, debian_part, notice, python_part, sbom

ROOT = Path(__file__).parents[1]
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Kinds of processors, and Debian's names for them."""
LIBC = "2.36"
EXTRAS = ("desk", "review")
LEFT_OUT = ("numba", "llvmlite")  # the compiler
NO_PARTS = (
    *("onnxruntime/transformers", "onnxruntime/quantization", "onnxruntime/tools", "onnxruntime/datasets"),
    "onnxruntime/capi/libonnxruntime.so*",  # for programs in C; Python's module holds the same code
    *("cv2/data", "lxml/includes", "carrel_bench", "bin", ".lock", "numpy/**/tests", "numpy/f2py", "pypdfium2_cli"),
    *("**/*.pyi", "**/*.h", "**/*.pxd", "**/*.pyx", "**/*.c", "**/*.cpp", "**/*.a"),
)
LAUNCHER = """#!/bin/sh
# Carrel from this folder, wherever it lies
here=$(dirname "$(dirname "$(readlink -f "$0")")")
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP
export PYTHONNOUSERSITE=1 LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export TESSDATA_PREFIX="${TESSDATA_PREFIX:-$here/share/tessdata}"
exec "$here/bin/python3" -P -B -m carrel "$@"
"""


def fill(folder: Path, wheel: Path, machine: str, scratch: Path) -> None:
    """Put everything into an empty folder."""
    debian = fetch(MACHINES[machine], scratch)
    own = platform.machine() == machine
    compiler = debian if own else fetch(MACHINES[platform.machine()], scratch)
    site = copy_python(debian, folder)
    _install(wheel, site, machine, debian.python.removeprefix("python"))
    copy_languages(debian, folder / "share" / "tessdata")
    launcher = folder / "bin" / "carrel"
    launcher.write_text(LAUNCHER, "utf-8")
    launcher.chmod(0o755)
    _compile(compiler, folder, site.parent)
    parts = _parts(debian, site)
    (folder / "NOTICE").write_text(notice(parts), "utf-8")
    (folder / "sbom.cdx.json").write_text(json.dumps(sbom(parts), indent=1) + "\n", "utf-8")


def _install(wheel: Path, site: Path, machine: str, python: str) -> None:
    """Install the locked packages for another machine or this one, without the compiler, and the wheel."""
    locked = site.parent / "locked.txt"
    locked.write_text(locked_requirements(), "utf-8")
    target = f"{machine}-manylinux_{LIBC.replace('.', '_')}"
    install = (uv(), "pip", "install", "-q", "--no-deps", "--link-mode", "copy", "--only-binary", ":all:")
    install += ("--python", sys.executable, "--python-version", python, "--python-platform", target)
    install += ("--target", str(site))
    run(*install, "--require-hashes", "-r", str(locked))
    run(*install, str(wheel))
    locked.unlink()
    for path in [path for part in NO_PARTS for path in site.glob(part)]:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    if (site / "share").is_dir():
        shutil.copytree(site / "share", site.parents[2] / "share", dirs_exist_ok=True)
        shutil.rmtree(site / "share")


def locked_requirements() -> str:
    """Return the locked packages with their sums as pip takes them, without the compiler."""
    left_out = [argument for name in LEFT_OUT for argument in ("--no-emit-package", name)]
    extras = [argument for name in EXTRAS for argument in ("--extra", name)]
    export = (uv(), "export", "-q", "--frozen", "--no-dev", "--no-emit-project", "--no-header", "--no-annotate")
    return run(*export, *extras, *left_out, "--project", str(ROOT))


def uv() -> str:
    """Return the program uv: the one on the path, or the one that ``scripts/setup`` has installed."""
    return shutil.which("uv") or str(ROOT / ".venv" / "bin" / "uv")


def _compile(debian: Debian, folder: Path, library: Path) -> None:
    """Compile all modules, by a Python of the same version that runs here."""
    libraries = ":".join(map(str, debian.root.glob("**/lib/*-linux-gnu")))
    places = {"PYTHONHOME": str(debian.root / "usr"), "LD_LIBRARY_PATH": libraries, "SOURCE_DATE_EPOCH": EPOCH}
    compileall = ("-m", "compileall", "-q", "-j0", "--invalidation-mode", "unchecked-hash", "-s", str(folder))
    run(str(debian.program), "-s", *compileall, str(library), environment=places)


def _parts(debian: Debian, site: Path) -> list[Part]:
    architecture = debian.architecture
    parts = [debian_part(p.name, p.version, architecture, p.copyright) for p in debian.packages]
    return parts + [python_part(info) for info in sorted(site.glob("*.dist-info"))]


def foreign(folder: Path, machine: str) -> Iterator[Path]:
    """Yield the programs and libraries of a folder that are of another kind of processor."""
    codes = {"x86_64": 62, "aarch64": 183}  # e_machine
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                head = file.read(20)
            kernels = re.search(r"/kernels/(x86_64|aarch64)/", str(path))
            if head[:4] == b"\x7fELF" and not kernels and int.from_bytes(head[18:20], "little") != codes[machine]:
                yield path


def main(arguments: Sequence[str]) -> None:
    """Build everything; prints sizes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--machine", choices=MACHINES, default=platform.machine())
    options = parser.parse_args(arguments)
    folder: Path = options.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with TemporaryDirectory(prefix="carrel-bundle-") as scratch:
        fill(folder, options.wheel.resolve(), options.machine, Path(scratch))
    if wrong := next(foreign(folder, options.machine), None):
        sys.exit(f"{wrong}: not for {options.machine}")
    for path in folder.rglob("*"):
        os.utime(path, (int(EPOCH), int(EPOCH)), follow_symlinks=False)
    packs = [tar(folder), deb(folder, carrel.__version__, MACHINES[options.machine], LIBC)]
    packs += write_sums(packs, folder.parent)
    print("\n".join(f"{path}: {path.stat().st_size / 1e6:,.1f} MB" for path in packs))


if __name__ == "__main__":
    main(sys.argv[1:])
