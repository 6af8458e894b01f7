"""Trial of the packs of a bundle, as a stranger would use them and without network: ``check_bundle.py [PACKS] [--whole-letter]``.

1. ``carrel-x86_64.tar.zst``, unpacked under a name with a space, with nothing in its environment and an empty home: it
   reads the sample letter, writes text, ALTO and PDF, and leaves no other file.
2. ``carrel_*_amd64.deb`` in a small Debian: installs, reads, and leaves nothing when it is purged.
3. ``carrel-aarch64.tar.zst`` in a root for that kind of processor, emulated, without ``/sys``: reads an image of two lines
   with few errors, and its search gives the same bits on stored logits.

Without PACKS, they are made for this, packed in a hurry, from the wheel that ``--wheel`` names. What is fetched is kept in
``--roots``. On a machine that cannot make the trials (no root, no namespaces, no package mirror within reach) it says so and
ends with 0; ``--must`` ends with 1. Exit code 1 where a check fails.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

import build_bundle
from bundle_debian import Apt, run
from carrel.evaluate.distance import character_errors
from small_debian import CheckError, bootstrapped, emulated, why_not_emulated, why_not_here

ROOT = Path(__file__).parents[1]
LETTER = ROOT / "tests/pages/letter.jpg"
TWO_LINES = (60, 380, 1700, 640)  # of the letter, px: left, top, right, bottom
TWO_LINES_TEXT = "Wexcombe, 9 October 1911\nDear Mr. Alder,"
MOST_CER, MOST_LETTER_CER = 0.1, 0.06
RESULTS = {"letter.txt", "letter.alto.xml", "letter.pdf", ".carrel-read"}
FORMATS = ("-f", "text", "-f", "alto", "-f", "pdf")
NEEDED = ("apt-get", "debootstrap", "dpkg-deb", "readelf", "tar", "unshare", "zstd")
HERE = Path("/mnt")  # where a trial sees its folder: /tmp is empty for it, and may be where this lies


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
    shutil.copy(LETTER, scratch)
    before = files_in(place, home)
    carrel = HERE / "a place/carrel-x86_64/bin/carrel"
    done = alone(scratch, carrel, "read", HERE / LETTER.name, "-o", HERE / "out", *FORMATS, HOME=HERE / "home")
    require(done.returncode == 0, done.stderr)
    require(done.stdout == "", f"left in /tmp: {done.stdout}")
    check_results(out)
    require(files_in(place, home) == before, f"left {sorted(files_in(place, home) - before)[:3]}")
    require(
        alone(scratch, carrel, "doctor", HOME=HERE / "home").returncode == 0, "carrel doctor finds something missing"
    )


def alone(scratch: Path, program: Path, *arguments: object, **environment: object) -> subprocess.CompletedProcess[str]:
    """Run a program without network, with nothing in its environment but this, ``scratch`` as ``HERE``, and an empty ``/tmp``;
    what it leaves there is printed last."""
    given = [f"{name}={value}" for name, value in environment.items()]
    inside = f'mount --bind "$0" {HERE} && mount -t tmpfs none /tmp && cd / && env -i "$@"; code=$?; find /tmp -mindepth 1; exit $code'  # fmt: skip
    command = ["unshare", "-n", "-m", "sh", "-c", inside, str(scratch), *given, str(program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def check_results(out: Path) -> None:
    """Compare what was made of the sample letter."""
    require({path.name for path in out.iterdir()} == RESULTS, f"wrote {sorted(out.iterdir())}")
    require((out / "letter.pdf").read_bytes().startswith(b"%PDF-"), "letter.pdf is no PDF")
    require("<alto " in (out / "letter.alto.xml").read_text("utf-8"), "letter.alto.xml is no ALTO")
    wanted = LETTER.with_suffix(".gt.txt").read_text("utf-8")
    check_text((out / "letter.txt").read_text("utf-8"), wanted, MOST_LETTER_CER)


def check_text(read: str, wanted: str, most: float) -> None:
    """Compare what was read."""
    wanted, read = " ".join(wanted.split()), " ".join(read.split())
    found = character_errors(wanted, read) / len(wanted)
    require(found <= most, f"CER {found:.3f}, at most {most}: {read!r}")
    print(f"  CER {found:.3f}")


def check_deb(packs: Path, kept: Path, scratch: Path) -> None:
    """Install, read, purge."""
    debian = bootstrapped(kept, scratch)
    before = debian.files()
    (package,) = packs.glob("carrel_*_amd64.deb")
    place = debian.root / "tmp"
    shutil.copy(package, place / "carrel.deb")
    shutil.copy(LETTER, place)
    debian.run("dpkg", "-i", "--force-unsafe-io", "/tmp/carrel.deb")
    debian.run("carrel", "read", "/tmp/letter.jpg", "-o", "/tmp/out", *FORMATS)
    check_results(place / "out")
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
    debian = emulated(kept, scratch)
    run("tar", "--zstd", "-xf", str(packs / "carrel-aarch64.tar.zst"), "-C", str(debian.root / "opt"))
    shutil.copy(ROOT / "scripts/bundle_stages.py", scratch)
    with Image.open(LETTER) as letter:
        letter.convert("L").crop(TWO_LINES).save(scratch / "lines.png")
    own = HERE / "a place/carrel-x86_64"
    store = alone(scratch, own / "bin/python3", "-B", HERE / "bundle_stages.py", "store", HERE / "lines.png", HERE / "stages.npz", **of_bundle(own))  # fmt: skip
    require(store.returncode == 0, store.stderr)
    for name in ("bundle_stages.py", "lines.png", "stages.npz"):
        shutil.copy(scratch / name, debian.root / "tmp")
    there = Path("/opt/carrel-aarch64")
    given = [f"{name}={value}" for name, value in of_bundle(there).items()]
    apart = json.loads(debian.run("env", *given, there / "bin/python3", "-B", "/tmp/bundle_stages.py", "compare", "/tmp/stages.npz"))  # fmt: skip
    for name, found in apart.items():
        print(f"  {name}: {found['count']:.0f} values differ ({found['share']:.2%}), by {found['most']:.3g} at most")
    require(apart["search"]["count"] == 0, "the search differs on the same logits")
    check_text(debian.run(there / "bin/carrel", "read", "/tmp/lines.png"), TWO_LINES_TEXT, MOST_CER)
    if whole:
        shutil.copy(LETTER, debian.root / "tmp")
        wanted = LETTER.with_suffix(".gt.txt").read_text("utf-8")
        check_text(debian.run(there / "bin/carrel", "read", "/tmp/letter.jpg"), wanted, MOST_LETTER_CER)


def of_bundle(folder: Path) -> dict[str, str]:
    """Return the environment in which a bundle's Python runs by itself."""
    return {"LD_LIBRARY_PATH": str(folder / "lib"), "TESSDATA_PREFIX": str(folder / "share/tessdata"), "HOME": "/nowhere"}  # fmt: skip


def build(wheel: Path, machine: str, packs: Path) -> None:
    """Make the packs of one kind of processor, and no other file, packed in a hurry."""
    os.environ["ZSTD_LEVEL"] = "1"
    build_bundle.main([str(wheel), str(packs / f"carrel-{machine}"), "--machine", machine])
    shutil.rmtree(packs / f"carrel-{machine}")


def why_not_within_reach(scratch: Path) -> str:
    """Return why nothing can be fetched; "" where it can."""
    try:
        Apt(build_bundle.MACHINES["x86_64"], scratch / "reached")
        asked = scratch / "asked.txt"
        asked.write_text(build_bundle.locked_requirements(), "utf-8")
        index = ("pip", "install", "-q", "--no-cache", "--dry-run", "--no-deps", "--target", str(scratch / "none"))
        run(build_bundle.uv(), *index, "--python", sys.executable, "-r", str(asked))
    except SystemExit as error:
        return f"what it needs cannot be fetched: {error}"
    return ""


def trials(options: argparse.Namespace, scratch: Path) -> dict[str, Callable[[], None]]:
    """Return what is done, in this order, by its title."""
    packs: Path = options.packs or scratch
    made: dict[str, Callable[[], None]] = {
        "folder without network": lambda: check_folder(packs, scratch),
        "package in Debian": lambda: check_deb(packs, options.roots, scratch),
    }
    if options.packs is None:
        made = {"packs for x86_64": lambda: build(options.wheel, "x86_64", packs)} | made
    if why := why_not_emulated(scratch):
        print(f"aarch64, emulated: not tried: {why}")
        return made
    if options.packs is None:
        made["packs for aarch64"] = lambda: build(options.wheel, "aarch64", packs)
    elif not (packs / "carrel-aarch64.tar.zst").is_file():
        print("aarch64, emulated: not tried: there is no carrel-aarch64.tar.zst; make bundle-aarch64")
        return made
    made["aarch64, emulated"] = lambda: check_emulated(packs, options.roots, scratch, options.whole_letter)
    return made


def main(arguments: Sequence[str]) -> int:
    """Try everything; returns 1 where something fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("packs", type=Path, nargs="?")
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--roots", type=Path, default=ROOT / "build" / "roots")
    parser.add_argument("--must", action="store_true", help="fail where the trials cannot be made")
    parser.add_argument("--whole-letter", action="store_true", help="emulated, too: a quarter of an hour")
    options = parser.parse_args(arguments)
    if options.packs is None and options.wheel is None:
        parser.error("name PACKS, or a --wheel to make them of")
    options.roots.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="check-", dir=options.roots) as name:
        if why := why_not_here(NEEDED) or why_not_within_reach(Path(name)):
            print(f"packs: not tried: {why}")
            return int(options.must)
        return sum(failed(title, trial) for title, trial in trials(options, Path(name)).items()) and 1


def failed(title: str, trial: Callable[[], None]) -> bool:
    """Make one trial; tells how long it took."""
    print(f"{title} ...", flush=True)
    began, cpu = time.monotonic(), _cpu_s()
    try:
        trial()
    except CheckError as error:
        print(f"  FAILED: {error}", flush=True)
        return True
    finally:
        print(f"  {time.monotonic() - began:.0f} s, {_cpu_s() - cpu:.0f} s of processor time", flush=True)
    return False


def _cpu_s() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
