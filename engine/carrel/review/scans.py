"""The scan of a page that was read: found by name in a folder of scans, and opened at that page."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path, PurePosixPath

from carrel.errors import InputError, PageTimeoutError
from carrel.image.files import SCAN_SUFFIXES
from carrel.image.source import Scan
from carrel.page import Page

Decode = Callable[[Path, int], Scan]
"""Decodes a page (from 0) of a file, as `carrel.workers.decoder.Decoder.scan` does: strangers' bytes in a process of their own."""


def scan_of(images: Path, name: str, page: Page, decode: Decode) -> Scan | None:
    """Open the scan of ``page``, whose results are called ``name``; None where no file of that name and size is there."""
    size = (page.width_px, page.height_px)
    return find_scan(images, name, (page.source.file_name,), size, decode, page.source.page_index)


def find_scan(
    images: Path, name: str, told: Iterable[str], size_px: tuple[int, int], decode: Decode, page_index: int = 0
) -> Scan | None:
    """Open a page's scan among ``images``: of a name that its results tell, else of their own, and of that size.

    Parameters
    ----------
    images
        Folder of the scans, which may lie in subfolders.
    name
        Name of the results, with slashes; a scan in the folder of the same name is preferred.
    told
        Names of the scan's file as files tell them.
    size_px
        Width and height that the page must have.
    decode
        Decodes the page.
    page_index
        The page in the file, counted from 0.
    """
    files = _files_by_name(images)
    own = PurePosixPath(name)
    names = [Path(other).name for other in told if other] + [own.name + suffix for suffix in SCAN_SUFFIXES]
    for path in (path for wanted in names for path in _nearest(files.get(wanted, ()), images / own.parent)):
        scan = _opened(path, page_index, decode)
        if scan is not None and scan.gray.shape == size_px[::-1]:
            return scan
    return None


def _nearest(paths: Iterable[Path], folder: Path) -> list[Path]:
    return sorted(paths, key=lambda path: (path.parent != folder, path))


@lru_cache(maxsize=4)
def _files_by_name(images: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for place, _, files in os.walk(images):
        for name in files:
            found.setdefault(name, []).append(Path(place, name))
    return found


@lru_cache(maxsize=1)
def _opened(path: Path, page_index: int, decode: Decode) -> Scan | None:
    try:
        return decode(path, page_index)
    except PageTimeoutError:  # a busy machine: the scan is there all the same
        raise
    except InputError:
        return None
