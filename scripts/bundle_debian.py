"""Parts of a bundle from Debian's packages, for any of its architectures: Python, the libraries that it needs, Tesseract's languages.

Packages are fetched and verified by ``apt-get`` with the sources of this machine, into a folder of their own; nothing is
installed. Needs Debian or a relative of it, and ``readelf`` (Debian: binutils).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LANGUAGES = ("eng", "fra", "osd")
TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
NO_STDLIB = ("test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "pydoc_data", "site-packages", "dist-packages", "__pycache__")  # fmt: skip
NO_MODULES = ("readline.*", "_curses*", "nis.*", "_dbm.*", "_gdbm.*", "_crypt.*", "ossaudiodev.*", "_tkinter.*", "_test*")  # fmt: skip
OF_EVERY_SYSTEM = ("libc.so", "libm.so", "libdl.so", "libpthread.so", "librt.so", "libutil.so", "ld-linux")
_NO_PACKAGES = {
    *(
        "libc6",
        "media-types",
        "mime-support",
        "dpkg",
        "debconf",
        "libdb5.3",
        "libdb5.3t64",
        "libncursesw6",
        "libtinfo6",
    ),
    *("libnsl2", "libreadline8", "libreadline8t64", "libtirpc3", "libtirpc3t64", "libcrypt1"),
}


@dataclass(frozen=True, slots=True)
class Package:
    """A package of Debian as it was unpacked; ``copyright`` is its own statement of licences."""

    name: str
    version: str
    copyright: str


@dataclass(frozen=True, slots=True)
class Debian:
    """Unpacked packages of one architecture below ``root``; ``python`` is like ``python3.11``."""

    root: Path
    architecture: str
    python: str
    packages: tuple[Package, ...]

    @property
    def program(self) -> Path:
        """Python itself; it runs where it lies if the machine is of its kind."""
        return self.root / "usr" / "bin" / self.python


def fetch(architecture: str, scratch: Path) -> Debian:
    """Return Python, its libraries and Tesseract's languages, unpacked below an empty folder."""
    apt = Apt(architecture, scratch)
    python = next(name for name in apt.needs("python3-minimal") if name.startswith("python3")).removesuffix("-minimal")
    names = [f"{python}-minimal", f"lib{python}-minimal", f"lib{python}-stdlib"]
    libraries = set(apt.needs(*names)) - _NO_PACKAGES - set(names)
    names += [*sorted(libraries), *(f"tesseract-ocr-{language}" for language in LANGUAGES)]
    packages = tuple(apt.unpack(names))
    return Debian(apt.root, architecture, python, packages)


class Apt:
    """``apt-get`` with a state of its own, for one architecture; packages are unpacked below ``root``.

    They come from the sources of this machine, or from another ``suite`` of its first mirror.
    """

    def __init__(self, architecture: str, scratch: Path, suite: str = "") -> None:
        self._folder = scratch / f"apt-{architecture}"
        self.root = self._folder / "root"
        for name in ("state/lists/partial", "cache/archives/partial", "packages", "root"):
            (self._folder / name).mkdir(parents=True)
        (self._folder / "state/status").touch()
        settings = {
            "APT::Architecture": architecture,
            "APT::Architectures::": architecture,
            "APT::Sandbox::User": "",
            "APT::Install-Recommends": "false",
            "APT::Update::Error-Mode": "any",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "Dir::State": self._folder / "state",
            "Dir::State::status": self._folder / "state/status",
            "Dir::Cache": self._folder / "cache",
        }
        if suite:
            listed = self._folder / "sources.list"
            listed.write_text(f"deb {mirror()} {suite} main\n", "utf-8")
            settings |= {"Dir::Etc::sourcelist": listed, "Dir::Etc::sourceparts": "/nonexistent"}
        self._settings = [argument for key, value in settings.items() for argument in ("-o", f"{key}={value}")]
        self._run("apt-get", "update", "-q")

    def needs(self, *packages: str) -> list[str]:
        """Return the names of packages that some name as their needs; apt takes a second for each question."""
        said = self._run("apt-cache", "depends", "-i", *packages)
        return re.findall(r"^ *\|?(?:Pre)?Depends: ([a-z0-9.+-]+)", said, re.MULTILINE)

    def with_needs(self, names: Sequence[str]) -> list[str]:
        """Return the names of packages, and of all that they need in turn."""
        found: set[str] = set()
        waiting = set(names)
        while waiting:
            found |= waiting
            waiting = set(self.needs(*sorted(waiting))) - found
        return sorted(found)

    def download(self, names: Sequence[str]) -> Path:
        """Fetch packages; returns the folder that they lie in."""
        folder = self._folder / "packages"
        self._run("apt-get", "download", "-q", *names, folder=folder)
        return folder

    def unpack(self, names: Sequence[str]) -> Iterator[Package]:
        """Fetch and unpack packages."""
        for file in sorted(self.download(names).glob("*.deb")):
            self._run("dpkg-deb", "-x", str(file), str(self.root))
            name, version = self._run("dpkg-deb", "-W", "--showformat=${Package} ${Version}", str(file)).split()
            stated = self.root / "usr/share/doc" / name / "copyright"
            yield Package(name, version, stated.read_text("utf-8", "replace") if stated.is_file() else "")

    def _run(self, *command: str, folder: Path | None = None) -> str:
        settings = self._settings if command[0].startswith("apt") else []
        return run(command[0], *settings, *command[1:], folder=folder)


def mirror() -> str:
    """Return the address of the first of this machine's sources of packages."""
    return run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").split()[0]


def copy_python(debian: Debian, folder: Path) -> Path:
    """Copy Python with its modules and libraries into a bundle; returns the folder for packages."""
    library = folder / "lib" / debian.python
    left_out = shutil.ignore_patterns(*NO_STDLIB, *NO_MODULES, "config-*", "*.a")
    shutil.copytree(debian.root / "usr/lib" / debian.python, library, ignore=left_out)
    (folder / "bin").mkdir()
    shutil.copy(debian.program, folder / "bin" / "python3")
    _copy_libraries(debian, [folder / "bin" / "python3", *library.glob("lib-dynload/*.so")], folder / "lib")
    return library / "dist-packages"


def _copy_libraries(debian: Debian, programs: Sequence[Path], target: Path) -> None:
    """Copy the libraries that these are linked with, and those that they need, except those of every system."""
    places = [debian.root / above / "lib" / TRIPLETS[debian.architecture] for above in ("usr", "")]
    waiting = list(programs)
    while waiting:
        for name in re.findall(r"\(NEEDED\).*\[(.+)\]", run("readelf", "-d", str(waiting.pop()))):
            if name.startswith(OF_EVERY_SYSTEM) or (target / name).exists():
                continue
            found = [place / name for place in places if (place / name).exists()]
            if not found:
                sys.exit(f"{name}: no package of Debian that was fetched holds it")
            shutil.copy(found[0].resolve(), target / name)
            waiting.append(target / name)


def copy_languages(debian: Debian, target: Path) -> None:
    """Copy Tesseract's languages into a folder of their own."""
    target.mkdir(parents=True)
    for language in LANGUAGES:
        (found,) = debian.root.glob(f"usr/share/**/tessdata/{language}.traineddata")
        shutil.copy(found, target)


def run(*command: str, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Return what a program prints; what makes it fail ends this one with its message."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=folder, env={**os.environ, **(environment or {})}
        )
    except FileNotFoundError:
        sys.exit(f"{command[0]}: not installed; Debian's packages are apt, binutils, dpkg, tar, zstd, openssh-client")
    if done.returncode:
        sys.exit(f"{command[0]}: {done.stderr.strip() or done.returncode}")
    return done.stdout
