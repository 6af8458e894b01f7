"""Build a folder from which Carrel is installed without network, for Python 3.11 to 3.14: ``build_wheelhouse.py WHEEL FOLDER``.

The folder holds ``install.sh``, the locked wheels of every such Python, pip itself, Tesseract's languages, and ``WHEELS``, the
sums of all; beside it comes a ``.tar`` whose sum is in ``SHA256SUMS``. The compiler of kernels is left out, as they come built.
``--machine aarch64`` builds for that kind of processor, ``--python 3.13`` for one Python, several times for several.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from build_bundle import LIBC, MACHINES, ROOT, locked_requirements
from bundle_debian import copy_languages, fetch, run
from bundle_packs import EPOCH, write_sums

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
_OLDEST_GLIBC, _NEWEST_GLIBC = 17, int(LIBC.split(".")[1])


def download(folder: Path, requirements: str, machine: str, python: str) -> None:
    """Fetch the wheels of one Python."""
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(_NEWEST_GLIBC, _OLDEST_GLIBC - 1, -1)]
    chosen = [argument for name in (*platforms, f"manylinux2014_{machine}") for argument in ("--platform", name)]
    listed = folder.parent / "wanted.txt"
    listed.write_text(requirements, "utf-8")
    pip = (sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps")
    only = ("--only-binary", ":all:", "--implementation", "cp", "--python-version", python)
    run(*pip, *only, *chosen, "--require-hashes", "-d", str(folder), "-r", str(listed))
    listed.unlink()


def main(arguments: Sequence[str]) -> None:
    """Build everything; prints the size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--machine", choices=MACHINES, default=platform.machine())
    parser.add_argument("--python", action="append", choices=PYTHONS, default=[])
    options = parser.parse_args(arguments)
    folder: Path = options.folder
    shutil.rmtree(folder, ignore_errors=True)
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    requirements = locked_requirements()
    for python in options.python or PYTHONS:
        download(wheels, requirements, options.machine, python)
    run(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels), "pip")
    wheel = Path(shutil.copy(options.wheel, wheels))
    names = re.sub(r" *\\\n *--hash=\S+", "", requirements)
    (folder / "requirements.txt").write_text(f"{names.rstrip()}\ncarrel=={wheel.name.split('-')[1]}\n", "utf-8")
    with TemporaryDirectory(prefix="carrel-wheelhouse-") as scratch:
        copy_languages(fetch(MACHINES[options.machine], Path(scratch)), folder / "tessdata")
    shutil.copy(ROOT / "packaging/install.sh", folder)
    shutil.copy(ROOT / "LICENSE", folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / "WHEELS").write_text("".join(sums), "utf-8")
    archive = folder.with_name(f"{folder.name}.tar")
    order = ("--sort=name", f"--mtime=@{EPOCH}", "--owner=0", "--group=0", "--numeric-owner", "--mode=u+rw,go=rX,a-s")
    run("tar", *order, "-cf", str(archive), "-C", str(folder.parent), folder.name)
    for path in (archive, *write_sums([archive], folder.parent)):
        print(f"{path}: {path.stat().st_size / 1e6:,.1f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
