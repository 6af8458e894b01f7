"""Trial of the packs of a bundle, as a stranger would use them and without network: ``check_bundle.py PACKS [--roots FOLDER] [--whole-letter]``.

1. ``carrel-x86_64.tar.zst``, unpacked under a name with a space, with nothing in its environment and an empty home: it
   reads the sample letter, writes text, ALTO and PDF, and leaves no other file.
2. ``carrel_*_amd64.deb`` in a small Debian: installs, reads, and leaves nothing when it is purged.
3. ``carrel-aarch64.tar.zst``, where it lies there, in a small Debian for that kind of processor, emulated, without
   ``/sys``: reads an image of two lines with few errors, and its search gives the same bits on stored logits.

The small Debians are made by ``debootstrap`` and kept in FOLDER. Needs root, ``unshare``, ``zstd``, and for the third
``qemu-user-static`` and a kernel with ``binfmt_misc``. Exit code 1 where a check fails; what cannot be tried is said.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from bundle_debian import run
from carrel.evaluate.distance import character_errors

ROOT = Path(__file__).parents[1]
LETTER = ROOT / "tests/pages/letter.jpg"
TWO_LINES = (60, 380, 1700, 640)  # of the letter, px: left, top, right, bottom
TWO_LINES_TEXT = "Wexcombe, 9 October 1911\nDear Mr. Alder,"
MOST_CER, MOST_LETTER_CER = 0.1, 0.06
EMULATOR = Path("/proc/sys/fs/binfmt_misc/qemu-aarch64")
RESULTS = {"letter.txt", "letter.alto.xml", "letter.pdf", ".carrel-read"}
FORMATS = ("-f", "text", "-f", "alto", "-f", "pdf")


class CheckError(Exception):
    """A failed check: a bundle does not do what it should."""


def require(condition: bool, message: str) -> None:
    """Raise where a check fails."""
    if not condition:
        raise CheckError(message)


def files_in(*folders: Path) -> set[Path]:
    """Return everything below some folders."""
    return {path for folder in folders for path in folder.rglob("*")}


def check_folder(packs: Path, scratch: Path) -> None:
    """Read the sample letter with the unpacked folder."""
    place, home, out = (scratch / name for name in ("a place", "home", "out"))
    for folder in (place, home, out):
        folder.mkdir()
    run("tar", "--zstd", "-xf", str(packs / "carrel-x86_64.tar.zst"), "-C", str(place))
    before = files_in(place, home)
    carrel = place / "carrel-x86_64" / "bin" / "carrel"
    done = alone(carrel, "read", LETTER, "-o", out, *FORMATS, HOME=str(home))
    require(done.returncode == 0, done.stderr)
    require(done.stdout == "", f"left in /tmp: {done.stdout}")
    require({path.name for path in out.iterdir()} == RESULTS, f"wrote {sorted(out.iterdir())}")
    wanted = LETTER.with_suffix(".gt.txt").read_text("utf-8")
    check_text((out / "letter.txt").read_text("utf-8"), wanted, MOST_LETTER_CER)
    require(files_in(place, home) == before, f"left {sorted(files_in(place, home) - before)[:3]}")
    require(alone(carrel, "doctor", HOME=str(home)).returncode == 0, "carrel doctor finds something missing")


def alone(program: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program without network, with nothing in its environment but this, and an empty ``/tmp``; what it leaves there is
    printed last."""
    given = [f"{name}={value}" for name, value in environment.items()]
    inside = 'mount -t tmpfs none /tmp; env -i "$@"; code=$?; find /tmp -mindepth 1; exit $code'
    command = ["unshare", "-n", "-m", "sh", "-c", inside, "sh", *given, str(program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def check_text(read: str, wanted: str, most: float) -> None:
    """Compare what was read."""
    wanted, read = " ".join(wanted.split()), " ".join(read.split())
    found = character_errors(wanted, read) / len(wanted)
    require(found <= most, f"CER {found:.3f}, at most {most}: {read!r}")
    print(f"  CER {found:.3f}")


class SmallDebian:
    """A Debian made by debootstrap, of which a copy is tried."""

    def __init__(self, kept: Path, architecture: str, scratch: Path) -> None:
        made, self.root = kept / f"debian-{architecture}", scratch / f"debian-{architecture}"
        if not made.is_dir():
            part = kept / f"debian-{architecture}.part"
            shutil.rmtree(part, ignore_errors=True)
            source = run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").split()[0]
            suite = run("sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME").strip()
            print(f"  debootstrap of {suite} for {architecture}: minutes")
            run("debootstrap", "--variant=minbase", f"--arch={architecture}", suite, str(part), source)
            part.rename(made)
        run("cp", "-a", str(made), str(self.root))

    def run(self, *arguments: object, check: bool = True) -> str:
        """Run a program inside, without network, with ``/proc`` and no ``/sys``; returns what it prints."""
        inside = 'mount -t proc proc "$1/proc"; exec chroot "$@"'
        clean = ("env", "-i", "HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive")
        command = ["unshare", "-n", "-m", "sh", "-c", inside, "sh", str(self.root), *clean, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        require(done.returncode == 0 or not check, f"{' '.join(map(str, arguments))}: {done.stderr or done.stdout}")
        return done.stdout

    def files(self) -> set[Path]:
        """Return everything inside but for what dpkg notes about itself."""
        own = {self.root / place for place in ("var/lib/dpkg", "var/log", "var/cache", "proc")}
        return {path for path in files_in(self.root) if not any(path.is_relative_to(folder) for folder in own)}


def check_deb(packs: Path, kept: Path, scratch: Path) -> None:
    """Install, read, purge."""
    debian = SmallDebian(kept, "amd64", scratch)
    before = debian.files()
    (package,) = packs.glob("carrel_*_amd64.deb")
    place = debian.root / "tmp"
    shutil.copy(package, place / "carrel.deb")
    shutil.copy(LETTER, place)
    debian.run("dpkg", "-i", "/tmp/carrel.deb")
    debian.run("carrel", "read", "/tmp/letter.jpg", "-o", "/tmp/out", *FORMATS)
    require({path.name for path in (place / "out").iterdir()} == RESULTS, "wrote something else")
    wanted = LETTER.with_suffix(".gt.txt").read_text("utf-8")
    check_text((place / "out/letter.txt").read_text("utf-8"), wanted, MOST_LETTER_CER)
    debian.run("dpkg", "--purge", "carrel")
    shutil.rmtree(place / "out")
    (place / "carrel.deb").unlink()
    (place / "letter.jpg").unlink()
    changed = (debian.files() ^ before) - {
        debian.root / "opt"
    }  # no package of Debian's owns it: dpkg removes it if empty
    require(not changed, f"left or removed {sorted(changed)[:3]}")


def check_emulated(packs: Path, kept: Path, scratch: Path, whole: bool) -> None:
    """Read two lines by an emulated processor; compare each stage with this one's."""
    debian = SmallDebian(kept, "arm64", scratch)
    run("tar", "--zstd", "-xf", str(packs / "carrel-aarch64.tar.zst"), "-C", str(debian.root / "opt"))
    place = debian.root / "tmp"
    shutil.copy(ROOT / "scripts/bundle_stages.py", place)
    with Image.open(LETTER) as letter:
        letter.convert("L").crop(TWO_LINES).save(place / "lines.png")
    own = scratch / "a place/carrel-x86_64"
    python = own / "bin/python3"
    store = alone(python, "-B", place / "bundle_stages.py", "store", place / "lines.png", place / "stages.npz", **of_bundle(own))  # fmt: skip
    require(store.returncode == 0, store.stderr)
    here = [f"{name}={value}" for name, value in of_bundle(Path("/opt/carrel-aarch64")).items()]
    said = debian.run("env", *here, "/opt/carrel-aarch64/bin/python3", "-B", "/tmp/bundle_stages.py", "compare", "/tmp/stages.npz")  # fmt: skip
    for name, apart in json.loads(said).items():
        print(f"  {name}: {apart['count']:.0f} values differ ({apart['share']:.2%}), by {apart['most']:.3g} at most")
    require(json.loads(said)["search"]["count"] == 0, "the search differs on the same logits")
    check_text(debian.run("/opt/carrel-aarch64/bin/carrel", "read", "/tmp/lines.png"), TWO_LINES_TEXT, MOST_CER)
    if whole:
        shutil.copy(LETTER, place)
        wanted = LETTER.with_suffix(".gt.txt").read_text("utf-8")
        check_text(debian.run("/opt/carrel-aarch64/bin/carrel", "read", "/tmp/letter.jpg"), wanted, MOST_LETTER_CER)


def of_bundle(folder: Path) -> dict[str, str]:
    """Return the environment in which a bundle's Python runs by itself."""
    return {"LD_LIBRARY_PATH": str(folder / "lib"), "TESSDATA_PREFIX": str(folder / "share/tessdata"), "HOME": "/nowhere"}  # fmt: skip


def why_not_emulated(packs: Path) -> str:
    """Return why the third check cannot be done; "" where it can."""
    if not (packs / "carrel-aarch64.tar.zst").is_file():
        return "there is no carrel-aarch64.tar.zst; make bundle-aarch64"
    if not EMULATOR.exists():
        return "the kernel runs no programs for aarch64; apt-get install qemu-user-static, and mount binfmt_misc"
    return ""


def main(arguments: Sequence[str]) -> int:
    """Try everything; returns 1 where something fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("packs", type=Path)
    parser.add_argument("--roots", type=Path, default=ROOT / "build" / "roots")
    parser.add_argument("--whole-letter", action="store_true", help="emulated, too: a quarter of an hour")
    options = parser.parse_args(arguments)
    if os.getuid():
        sys.exit("check_bundle.py: needs root, for chroot and for what has no network")
    options.roots.mkdir(parents=True, exist_ok=True)
    packs: Path = options.packs
    failed = 0
    with TemporaryDirectory(prefix="check-", dir=options.roots) as name:
        scratch = Path(name)
        checks = {
            "folder without network": lambda: check_folder(packs, scratch),
            "package in Debian": lambda: check_deb(packs, options.roots, scratch),
            "aarch64, emulated": lambda: check_emulated(packs, options.roots, scratch, options.whole_letter),
        }
        if why := why_not_emulated(packs):
            print(f"aarch64, emulated: not tried: {why}")
            del checks["aarch64, emulated"]
        for title, check in checks.items():
            print(f"{title} ...", flush=True)
            try:
                check()
            except CheckError as error:
                failed = 1
                print(f"  FAILED: {error}")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
