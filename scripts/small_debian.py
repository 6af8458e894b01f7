"""Small Debians for trials, without network, ``/sys`` and certificates: by ``debootstrap``, or only unpacked; for aarch64 emulated.

The first is a whole ``minbase``, so that packages can be installed. The others hold libc, the libraries that ``carrel``'s
package needs, coreutils, and what a trial asks for. Programs for aarch64 run by ``qemu-aarch64-static``, which is fetched where it is
not installed, and registered with the kernel in a namespace of the trial's own (Linux 6.7), so the machine stays as it was.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bundle_debian import Apt, mirror, run

EMULATOR = "qemu-aarch64-static"
NEEDED_PACKAGES = ("libc6", "libstdc++6", "libgcc-s1", "coreutils")
CLEAN = ("env", "-i", "HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive")
CHROOT = """
mount -t proc proc "$1/proc"
[ -c "$1/dev/null" ] || { touch "$1/dev/null" && mount --bind /dev/null "$1/dev/null"; }
exec chroot "$@"
"""
# ELF, 64 bits, little endian, a program or library, for processor 183; F: opened now, so it need not lie in the root
REGISTER = r"""
if mount -t binfmt_misc none /proc/sys/fs/binfmt_misc 2>/dev/null; then printf '%s' ':qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:'"$EMULATOR"':OCF' >/proc/sys/fs/binfmt_misc/register; fi
"""
CHANGED_BY_ITSELF = ("var/lib/dpkg", "var/log", "var/cache", "proc", "dev")


class CheckError(Exception):
    """A failed check: a bundle does not do what it should."""


class SmallDebian:
    """A root that programs are tried in; ``emulator`` runs them where they are of another kind of processor."""

    def __init__(self, root: Path, emulator: Path | None = None) -> None:
        self.root = root
        self._emulator = emulator

    def command(self, *arguments: object) -> list[str]:
        """Return the command that runs a program inside, as root, with ``/proc``, without network."""
        apart, before = ["unshare", "-n", "-m"], ""
        if self._emulator is not None:
            apart, before = (
                ["env", f"EMULATOR={self._emulator}", "unshare", "-U", "-r", "-n", "-m", "-p", "-f"],
                REGISTER,
            )
        return [*apart, "sh", "-c", before + CHROOT, "sh", str(self.root), *CLEAN, *map(str, arguments)]

    def run(self, *arguments: object) -> str:
        """Run a program inside; returns what it prints."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False)
        if done.returncode:
            raise CheckError(f"{' '.join(map(str, arguments))}: {done.stderr or done.stdout}")
        return done.stdout

    def files(self) -> set[Path]:
        """Return everything inside but for what dpkg notes about itself, and devices."""
        own = [self.root / place for place in CHANGED_BY_ITSELF]
        return {path for path in self.root.rglob("*") if not any(path.is_relative_to(folder) for folder in own)}


def bootstrapped(kept: Path, scratch: Path) -> SmallDebian:
    """Return a copy of a small Debian of this machine's own suite; the first time it is made, and kept."""
    architecture = run("dpkg", "--print-architecture").strip()
    made = kept / f"debian-{architecture}"
    if not made.is_dir():
        part = kept / f"debian-{architecture}.part"
        shutil.rmtree(part, ignore_errors=True)
        _bootstrap(part, Apt(architecture, scratch / "bootstrap"))
        part.rename(made)
    root = scratch / made.name
    run("cp", "-a", str(made), str(root))
    return SmallDebian(root)


def _bootstrap(root: Path, apt: Apt) -> None:
    """Make it from packages that apt fetches all at once, without waiting for the disk after each."""
    suite = run("sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME").strip()
    source = mirror()
    hurry = root / "etc/dpkg/dpkg.cfg.d/hurry"
    hurry.parent.mkdir(parents=True)
    hurry.write_text("force-unsafe-io\n", "utf-8")
    debootstrap = ("debootstrap", "--variant=minbase")
    names = run(*debootstrap, "--print-debs", suite, str(root.with_suffix(".names")), source).split()
    run(*debootstrap, f"--cache-dir={apt.download(names)}", suite, str(root), source)
    hurry.unlink()


def emulated(kept: Path, scratch: Path) -> SmallDebian:
    """Return an unpacked root for aarch64 with its emulator."""
    apt = Apt("arm64", scratch / "emulated")
    return SmallDebian(unpacked(apt, (*NEEDED_PACKAGES, "dash")), _emulator(kept, scratch))


def unpacked(apt: Apt, names: Sequence[str]) -> Path:
    """Return a root of packages with all that they need, none of them set up."""
    tuple(apt.unpack(apt.with_needs(names)))
    for name in ("bin", "lib", "lib64", "sbin"):  # packages of newer Debians leave these links to another package
        if not (apt.root / name).exists() and (apt.root / "usr" / name).is_dir():
            (apt.root / name).symlink_to(f"usr/{name}")
    for name in ("dev", "opt", "proc", "root", "tmp"):
        (apt.root / name).mkdir(exist_ok=True)
    return apt.root


def _emulator(kept: Path, scratch: Path) -> Path:
    """Return the emulator that is installed, or one from Debian's package, which is kept."""
    if found := shutil.which(EMULATOR):
        return Path(found)
    program = kept / EMULATOR
    if not program.is_file():
        apt = Apt(run("dpkg", "--print-architecture").strip(), scratch / "emulator")
        (package,) = apt.download(["qemu-user-static"]).glob("*.deb")
        run("sh", "-c", 'dpkg-deb --fsys-tarfile "$1" | tar -xO "./usr/bin/$2" >"$3"', "sh", str(package), EMULATOR, f"{program}.part")  # fmt: skip
        program.with_name(f"{program.name}.part").rename(program)
        program.chmod(0o755)
    return program


def why_not_here(needed: Sequence[str]) -> str:
    """Return why no trial can be made on this machine; "" where it can."""
    if os.getuid():
        return "it needs root, for chroot and for what has no network"
    if missing := [name for name in needed if shutil.which(name) is None]:
        return (
            f"{', '.join(missing)}: not installed; as root: apt-get install binutils debootstrap dpkg zstd util-linux"
        )
    if subprocess.run(["unshare", "-n", "-m", "true"], capture_output=True, check=False).returncode:
        return "the kernel gives no namespaces here (unshare -n -m true)"
    return ""


def why_not_emulated(scratch: Path) -> str:
    """Return why programs for aarch64 cannot be tried; "" where they can."""
    register = ["unshare", "-U", "-r", "-n", "-m", "-p", "-f", "sh", "-c"]
    own = subprocess.run([*register, "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc"], capture_output=True, check=False, cwd=scratch)  # fmt: skip
    if own.returncode and not Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists():
        return "the kernel registers no emulator (binfmt_misc in a user namespace, Linux 6.7)"
    return ""
