"""Trial of a wheel with the newest packages of the index, which ``uv.lock`` does not hold: ``check_newest.py WHEEL [--must]``.

For the oldest and the newest Python, each from the suite of Debian that has it, unpacked in a root of its own: the wheel is
installed with what ``pip install`` would take today, and reads the sample letter without network. Needs root, ``unshare``,
and package mirrors; says so where they are missing, and ends with 0, or with 1 by ``--must``. Exit code 1 where it fails.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from build_bundle import LIBC, MACHINES, uv
from bundle_debian import LANGUAGES, Apt, run
from check_bundle import LETTER, MOST_LETTER_CER, check_text, failed, why_not_within_reach
from small_debian import NEEDED_PACKAGES, SmallDebian, unpacked, why_not_here

MACHINE = "x86_64"
SUITES = {"3.11": "bookworm", "3.14": "forky"}


def check(wheel: Path, python: str, scratch: Path) -> None:
    """Read the letter by one Python."""
    apt = Apt(MACHINES[MACHINE], scratch, SUITES[python])
    names = (*NEEDED_PACKAGES, f"python{python}", *(f"tesseract-ocr-{language}" for language in LANGUAGES))
    root = unpacked(apt, names)
    install = ("pip", "install", "-q", "--only-binary", ":all:", "--link-mode", "copy", "--target", str(root / "opt"))
    kind = ("--python-version", python, "--python-platform", f"{MACHINE}-manylinux_{LIBC.replace('.', '_')}")
    run(uv(), *install, *kind, "--python", sys.executable, str(wheel))
    found = {match[1]: match[2] for path in (root / "opt").glob("*.dist-info") if (match := re.match(r"(.+)-(.+)\.", path.name))}  # fmt: skip
    print(f"  Python {python}, " + ", ".join(f"{name} {found[name]}" for name in ("numpy", "onnxruntime", "msgspec")))
    shutil.copy(LETTER, root / "tmp")
    told = SmallDebian(root).run("env", "PYTHONPATH=/opt", f"python{python}", "-m", "carrel", "read", f"/tmp/{LETTER.name}")  # fmt: skip
    check_text(told, LETTER.with_suffix(".gt.txt").read_text("utf-8"), MOST_LETTER_CER)


def main(arguments: Sequence[str]) -> int:
    """Try all; returns 1 where something fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--must", action="store_true", help="fail where the trials cannot be made")
    options = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="carrel-newest-") as name:
        if why := why_not_here(("apt-get", "dpkg-deb", "tar", "unshare")) or why_not_within_reach(Path(name)):
            print(f"newest packages: not tried: {why}")
            return int(options.must)
        trials = {
            f"newest packages, Python {python}": partial(check, options.wheel, python, Path(name) / python)
            for python in SUITES
        }
        return sum(failed(title, trial) for title, trial in trials.items()) and 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
