"""Versions of Carrel and of installed packages, without `importlib.metadata`: that takes as long to import as a small network."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

VERSION = "0.1.0"
"""Of Carrel."""
SUFFIX = ".dist-info"
_PACKAGES = {"cv2": "opencv-python-headless", "PIL": "pillow", "carrel": "carrel"}
"""Packages whose modules have other names."""


def missing_package(error: ImportError) -> str:
    """Return the message for a package that cannot be imported: its name, and the command that brings it."""
    name = (error.name or "").partition(".")[0] or "a package"
    wanted = _PACKAGES.get(name, name) if error.name else "carrel"
    why = "is missing" if isinstance(error, ModuleNotFoundError) else f"cannot be loaded ({error})"
    return f"{name} {why}; pip install --force-reinstall {wanted}"


def installed_version(package: str) -> str | None:
    """Return the version of an installed package, by the first folder on `sys.path` that an installer left for it."""
    return installed_versions(package).get(package)


def installed_versions(*packages: str) -> dict[str, str]:
    """Return the versions of those packages that are installed, after one look at each folder on `sys.path`."""
    wanted = {package.lower().replace("-", "_").replace(".", "_"): package for package in packages}
    found: dict[str, str] = {}
    for folder in sys.path:
        with suppress(OSError), os.scandir(folder or ".") as entries:  # an archive, or not there
            for entry in entries:
                if not entry.name.endswith(SUFFIX):
                    continue
                name, _, version = entry.name.removesuffix(SUFFIX).partition("-")
                if package := wanted.get(name.lower().replace(".", "_")):
                    found.setdefault(package, version)
    return found
