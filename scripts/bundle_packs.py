"""Packs of a bundle: ``.tar.zst``, ``.deb``, and their sums, signed where the builder gives a key."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from bundle_debian import run

EPOCH = os.environ.get("SOURCE_DATE_EPOCH", "1767225600")
SUMS, NAMESPACE = "SHA256SUMS", "carrel"
CONTROL = """Package: carrel
Version: {version}
Architecture: {architecture}
Maintainer: Carrel <carrel@localhost>
Installed-Size: {kib}
Depends: libc6 (>= {libc}), libstdc++6, libgcc-s1
Section: text
Priority: optional
Description: reader of scanned pages, printed and handwritten
 Reads on this machine; nothing leaves it. Holds everything that it needs, under /opt/carrel.
"""
SHARED = {"man/man1": "*.1", "bash-completion/completions": "*", "zsh/vendor-completions": "_*", "fish/vendor_completions.d": "*.fish"}  # fmt: skip
"""Where Debian's shells and man look, below ``share/``."""


def level() -> str:
    """Return how hard zstd tries, as text."""
    return os.environ.get("ZSTD_LEVEL", "19")


def tar(folder: Path) -> Path:
    """Return a ``.tar.zst`` of a folder; the same files make the same bytes."""
    archive = folder.with_name(f"{folder.name}.tar.zst")
    order = ("--sort=name", f"--mtime=@{EPOCH}", "--owner=0", "--group=0", "--numeric-owner", "--mode=u+rw,go=rX,a-s")
    packer = f"--use-compress-program=zstd -{level()} -T0"
    run("tar", *order, packer, "-cf", str(archive), "-C", str(folder.parent), folder.name)
    return archive


def deb(folder: Path, version: str, architecture: str, libc: str) -> Path:
    """Return a ``.deb`` that holds a folder as ``/opt/carrel``, with the command, man pages, completions and units in ``/usr``."""
    root = folder.with_name(f"{folder.name}.deb-root")
    shutil.rmtree(root, ignore_errors=True)
    for place in ("opt", "usr/bin", "DEBIAN"):
        (root / place).mkdir(parents=True)
    shutil.copytree(folder, root / "opt" / "carrel", symlinks=True, copy_function=os.link)
    (root / "usr/bin/carrel").symlink_to("/opt/carrel/bin/carrel")
    _link_shared(root)
    kib = sum(path.lstat().st_size for path in folder.rglob("*")) // 1024
    control = CONTROL.format(version=version, architecture=architecture, libc=libc, kib=kib)
    (root / "DEBIAN" / "control").write_text(control, "utf-8")
    for path in root.rglob("*"):
        os.utime(path, (int(EPOCH), int(EPOCH)), follow_symlinks=False)
    package = folder.with_name(f"carrel_{version}_{architecture}.deb")
    packer = ("dpkg-deb", "--root-owner-group", "-Zzstd", f"-z{level()}", "--build", str(root), str(package))
    run(*packer, environment={"SOURCE_DATE_EPOCH": EPOCH})
    shutil.rmtree(root)
    return package


def _link_shared(root: Path) -> None:
    for place, pattern in SHARED.items():
        source = place.replace("vendor-completions", "site-functions")  # Debian's zsh has its own place
        for file in sorted((root / "opt/carrel/share" / source).glob(pattern)):
            target = root / "usr/share" / place / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(f"/{file.relative_to(root)}")
    units = root / "opt/carrel/share/systemd"
    for unit in sorted(units.rglob("*.service")):
        kind = "user" if unit.parent.name == "user" else "system"
        target = root / "usr/lib/systemd" / kind / unit.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(f"/{unit.relative_to(root)}")


def write_sums(packs: Sequence[Path], folder: Path) -> list[Path]:
    """Write the SHA-256 of packs, and a signature beside them where ``CARREL_SIGN_KEY`` names a private key of ssh-keygen."""
    sums = folder / SUMS
    known = sums.read_text("utf-8").splitlines() if sums.is_file() else []
    lines = {name: line for line in known if (folder / (name := line.split("  ")[-1])).is_file()}
    lines |= {path.name: f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in packs}
    sums.write_text("".join(f"{lines[name]}\n" for name in sorted(lines)), "utf-8")
    signature = sums.with_name(f"{SUMS}.sig")
    signature.unlink(missing_ok=True)
    if key := os.environ.get("CARREL_SIGN_KEY"):
        run("ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", key, str(sums))
        return [sums, signature]
    return [sums]
