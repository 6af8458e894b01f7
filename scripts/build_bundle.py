"""Build a folder that runs Carrel on any Linux of its kind, and packs of it: ``build_bundle.py WHEEL FOLDER``.

The folder holds Python, the locked packages without the compiler (the kernels come built), the models, Tesseract's
languages, man pages and completions, and ``bin/carrel``; it may be moved. Beside it come ``.tar.zst``, ``.deb`` and the
sums of both. The same inputs make the same bytes (``SOURCE_DATE_EPOCH``).

Python is Debian's where that is installed, else the one that runs this; needs ``uv``, ``ldd``, ``zstd``, ``dpkg-deb``.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from email import message_from_string
from pathlib import Path

import carrel
from carrel.recognizers.tesseract import find_tessdata

ROOT = Path(__file__).parents[1]
LANGUAGES = ("eng", "fra", "osd")
LEFT_OUT = ("numba", "llvmlite")  # the compiler
NO_STDLIB = ("test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages", "dist-packages", "__pycache__")  # fmt: skip
NO_MODULES = ("readline.*", "_curses*", "nis.*", "_dbm.*", "_gdbm.*", "_crypt.*", "ossaudiodev.*", "_tkinter.*", "_test*")  # fmt: skip
NO_PARTS = (
    *("onnxruntime/transformers", "onnxruntime/quantization", "onnxruntime/tools", "onnxruntime/datasets"),
    *("cv2/data", "lxml/includes", "carrel_bench", "bin", ".lock", "numpy/**/tests", "**/*.pyi", "**/*.h", "**/*.pxd"),
)
OF_EVERY_SYSTEM = ("libc.so", "libm.so", "libdl.so", "libpthread.so", "librt.so", "libutil.so", "ld-linux", "linux-vdso")  # fmt: skip
EPOCH = os.environ.get("SOURCE_DATE_EPOCH", "1767225600")
LAUNCHER = """#!/bin/sh
# Carrel from this folder, wherever it lies
here=$(dirname "$(dirname "$(readlink -f "$0")")")
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP
export PYTHONNOUSERSITE=1 LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export TESSDATA_PREFIX="${TESSDATA_PREFIX:-$here/share/tessdata}"
exec "$here/bin/python3" -P -B -m carrel "$@"
"""
CONTROL = """Package: carrel
Version: {version}
Architecture: {architecture}
Maintainer: Carrel <carrel@localhost>
Installed-Size: {kib}
Depends: libc6 (>= 2.36)
Section: text
Priority: optional
Description: reader of scanned pages, printed and handwritten
 Reads on this machine; nothing leaves it. Holds everything that it needs, under /opt/carrel.
"""


def python_facts() -> dict[str, str]:
    """Return where the Python to bundle has its program, library and version."""
    python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
    code = (
        "import json, sys, sysconfig; print(json.dumps({'program': sys.executable, 'tag': 'python%d.%d' %"
        " sys.version_info[:2], 'version': sys.version.split()[0], 'stdlib': sysconfig.get_path('stdlib')}))"
    )
    return json.loads(_run(python, "-I", "-c", code))


def fill(folder: Path, wheel: Path, python: dict[str, str]) -> None:
    """Put everything into an empty folder."""
    library = folder / "lib" / python["tag"]
    shutil.copytree(
        python["stdlib"], library, ignore=shutil.ignore_patterns(*NO_STDLIB, *NO_MODULES, "config-*", "*.a")
    )
    of_debian = "dist-packages" in (library / "site.py").read_text("utf-8")
    site = library / ("dist-packages" if of_debian else "site-packages")
    (folder / "bin").mkdir()
    shutil.copy(Path(python["program"]).resolve(), folder / "bin" / "python3")
    _copy_libraries(folder)
    _install(wheel, site, python["program"])
    tessdata = folder / "share" / "tessdata"
    tessdata.mkdir(parents=True, exist_ok=True)
    for language in LANGUAGES:
        shutil.copy(find_tessdata([language]) / f"{language}.traineddata", tessdata)
    launcher = folder / "bin" / "carrel"
    launcher.write_text(LAUNCHER, "utf-8")
    launcher.chmod(0o755)
    compile_all = ["-m", "compileall", "-q", "-j0", "--invalidation-mode", "unchecked-hash", "-s", str(folder), str(library)]  # fmt: skip
    _run(python["program"], "-I", *compile_all)
    packages = [_package(path) for path in sorted(site.glob("*.dist-info"))]
    (folder / "NOTICE").write_text(notice(folder, packages, python), "utf-8")
    (folder / "sbom.cdx.json").write_text(json.dumps(sbom(packages, python), indent=1) + "\n", "utf-8")


def _copy_libraries(folder: Path) -> None:
    """Copy the libraries that Python's own modules are linked with, except those of every system."""
    for module in [folder / "bin" / "python3", *folder.glob("lib/*/lib-dynload/*.so")]:
        for line in _run("ldd", str(module)).splitlines():
            name, _, place = line.strip().partition(" => ")
            if place and not name.startswith(OF_EVERY_SYSTEM):
                shutil.copy(Path(place.split(" (")[0]).resolve(), folder / "lib" / name)


def _install(wheel: Path, site: Path, python: str) -> None:
    """Install the locked packages without the compiler, and the wheel."""
    uv = shutil.which("uv") or str(ROOT / ".venv" / "bin" / "uv")
    left_out = [argument for name in LEFT_OUT for argument in ("--no-emit-package", name)]
    export = (uv, "export", "-q", "--frozen", "--no-dev", "--no-emit-project", *left_out, "--project", str(ROOT))
    locked = site.parent / "locked.txt"
    locked.write_text(_run(*export), "utf-8")
    install = (
        uv,
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--link-mode",
        "copy",
        "--python",
        python,
        "--target",
        str(site),
    )
    _run(*install, "--require-hashes", "-r", str(locked))
    _run(*install, str(wheel))
    locked.unlink()
    for path in [path for part in NO_PARTS for path in site.glob(part)]:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    if (site / "share").is_dir():
        shutil.copytree(site / "share", site.parents[2] / "share", dirs_exist_ok=True)
        shutil.rmtree(site / "share")


def _package(folder: Path) -> dict[str, str]:
    facts = message_from_string((folder / "METADATA").read_text("utf-8"))
    stated = facts["License-Expression"] or (facts["License"] or "").strip().splitlines()[:1]
    classifiers = [c.split(" :: ")[-1] for c in facts.get_all("Classifier", []) if c.startswith("License")]
    licence = stated if isinstance(stated, str) else (classifiers or stated or ["see its files"])[0]
    return {"name": facts["Name"], "version": facts["Version"], "licence": licence, "folder": str(folder)}


def notice(folder: Path, packages: list[dict[str, str]], python: dict[str, str]) -> str:
    """Return every part with its licence, the libraries inside it, and the licence files themselves."""
    parts = ["Carrel's bundle holds the following parts, each under its own licence.", ""]
    parts += [f"Python {python['version']}: PSF-2.0, with the libraries in lib/ that its modules need:"]
    parts += [f"  {path.name}" for path in sorted((folder / "lib").glob("*.so*"))]
    parts += [f"Tesseract's languages {', '.join(LANGUAGES)}: Apache-2.0", ""]
    for package in packages:
        site = Path(package["folder"]).parent
        parts.append(f"{package['name']} {package['version']}: {package['licence']}")
        inside = sorted({path.name for path in site.glob(f"{package['name'].replace('-', '_')}.libs/*")})
        parts += [f"  holds {name}" for name in inside]
    parts += [_SAID]
    for package in packages:
        for path in _licence_files(Path(package["folder"])):
            text = path.read_text("utf-8", "replace")
            parts += ["", f"==== {package['name']} {package['version']}: {path.name} ====", "", text]
    return "\n".join(parts) + "\n"


_SAID = """
opencv-python-headless holds FFmpeg's libraries (libav*, libsw*) under LGPL-2.1 or later: they may be replaced by others
of the same interface. tesserocr's wheel holds Tesseract (Apache-2.0), Leptonica (BSD-2-Clause) and picture libraries, of
which libtiff may hold JBIG-KIT (GPL-2.0 or later). numpy and OpenCV hold OpenBLAS (BSD-3-Clause) and parts of GCC's
runtime (GPL-3.0 with the runtime exception).
"""


def _licence_files(folder: Path) -> Iterator[Path]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    yield from sorted(path for path in found if path.name.upper().startswith(("LICEN", "COPYING", "NOTICE", "AUTHORS")))


def sbom(packages: list[dict[str, str]], python: dict[str, str]) -> dict[str, object]:
    """Return the parts as CycloneDX 1.5."""
    parts = [{"name": "python", "version": python["version"], "licence": "PSF-2.0"}, *packages]
    components = [
        {
            "type": "library",
            "name": part["name"],
            "version": part["version"],
            "purl": f"pkg:{'generic' if part['name'] == 'python' else 'pypi'}/{part['name'].lower()}@{part['version']}",
            "licenses": [{"license": {"name": part["licence"]}}],
        }
        for part in parts
    ]
    own = {"type": "application", "name": "carrel", "version": carrel.__version__}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": own},
        "components": components,
    }


def pack(folder: Path) -> list[Path]:
    """Return the packs of a filled folder: ``.tar.zst`` and ``.deb``."""
    level, archive = f"-{os.environ.get('ZSTD_LEVEL', '19')}", folder.with_name(f"{folder.name}.tar.zst")
    order = ("--sort=name", f"--mtime=@{EPOCH}", "--owner=0", "--group=0", "--numeric-owner", "--mode=u+rw,go=rX,a-s")
    _run(
        "tar",
        *order,
        f"--use-compress-program=zstd {level} -T0",
        "-cf",
        str(archive),
        "-C",
        str(folder.parent),
        folder.name,
    )
    return [archive, _deb(folder, level)]


def _deb(folder: Path, level: str) -> Path:
    root = folder.with_name("deb")
    shutil.rmtree(root, ignore_errors=True)
    for place in ("opt", "usr/bin", "DEBIAN"):
        (root / place).mkdir(parents=True)
    shutil.copytree(folder, root / "opt" / "carrel", symlinks=True, copy_function=os.link)
    (root / "usr/bin/carrel").symlink_to("/opt/carrel/bin/carrel")
    kib = sum(path.lstat().st_size for path in folder.rglob("*")) // 1024
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    control = CONTROL.format(version=carrel.__version__, architecture=architecture, kib=kib)
    (root / "DEBIAN" / "control").write_text(control, "utf-8")
    package = folder.with_name(f"carrel_{carrel.__version__}_{architecture}.deb")
    _run("dpkg-deb", "--root-owner-group", "-Zzstd", f"-z{level[1:]}", "--build", str(root), str(package))
    shutil.rmtree(root)
    return package


def _run(*command: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH}
    )
    if done.returncode:
        sys.exit(f"{command[0]}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def main(wheel: Path, folder: Path) -> None:
    """Build everything; prints sizes and sums."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    fill(folder, wheel.resolve(), python_facts())
    for path in folder.rglob("*"):
        os.utime(path, (int(EPOCH), int(EPOCH)), follow_symlinks=False)
    packs = pack(folder)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in packs]
    (folder.parent / "SHA256SUMS").write_text("\n".join(sums) + "\n", "utf-8")
    print("\n".join(f"{path}: {path.stat().st_size / 1e6:,.0f} MB" for path in packs))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
