"""Sizes on the disk once Carrel is installed: packages, models, and what they require, in MB."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from importlib.metadata import distribution, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from carrel_bench.figures import Figure, Options

MB = 1e6


def measure(_options: Options) -> Iterator[Figure]:
    """Yield the size of Carrel, of each of its models, and of the packages that it requires."""
    for package in ("carrel", "carrel_models"):
        yield Figure("size", "installed", package, "MB", folder_bytes(Path(str(resources.files(package)))) / MB)
    for model in sorted(Path(str(resources.files("carrel_models"))).iterdir()):
        if (model / "manifest.json").exists():
            yield Figure("size", "installed", f"model {model.name}", "MB", folder_bytes(model) / MB)
    for package in required():
        yield Figure("size", "installed", f"package {package}", "MB", package_bytes(package) / MB)


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files in a folder without compiled Python."""
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts)


def required(package: str = "carrel") -> list[str]:
    """Return the installed packages that a package needs without extras, and those that they need in turn."""
    found: dict[str, None] = {}
    waiting = [package]
    while waiting:
        for requirement in map(Requirement, requires(waiting.pop()) or []):
            name = canonicalize_name(requirement.name)
            needed = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if needed and name not in found:
                found[name] = None
                waiting.append(name)
    return sorted(found)


def package_bytes(package: str) -> int:
    """Return the bytes of an installed package without compiled Python."""
    files = distribution(package).files or []
    paths = (Path(str(file.locate())) for file in files if file.suffix != ".pyc")
    return sum(path.stat().st_size for path in paths if path.is_file())
