"""Scans of pages that were read: which file is taken, and what is no reason to say that there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrel.errors import InputError, PageTimeoutError
from carrel.image.source import Scan
from carrel.review.scans import find_scan


def test_a_scan_that_takes_too_long_is_not_missing(tmp_path: Path) -> None:
    (tmp_path / "deed.png").write_bytes(b"a scan")

    def damaged(path: Path, page_index: int) -> Scan:
        raise InputError(f"{path.name}: is damaged")

    def slow(path: Path, page_index: int) -> Scan:
        raise PageTimeoutError(f"{path.name}: took longer than 40 s to decode")

    assert find_scan(tmp_path, "deed", (), (8, 8), damaged) is None
    with pytest.raises(PageTimeoutError, match="took longer than 40 s"):
        find_scan(tmp_path, "deed", (), (8, 8), slow)
