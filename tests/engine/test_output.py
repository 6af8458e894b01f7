"""Results are whole or absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrel.errors import OutputError
from carrel.output import make_folder, write_file


def test_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "page.txt"
    write_file(path, b"first")
    write_file(path, b"second")
    assert path.read_bytes() == b"second"
    assert [p.name for p in tmp_path.iterdir()] == ["page.txt"]


def test_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "page.txt.part").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"page\.txt: cannot be written \(No space left"):
        write_file(tmp_path / "page.txt", b"x" * 100_000)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", "utf-8")
    with pytest.raises(OutputError, match="not a folder to write to"):
        make_folder(tmp_path / "taken")


def test_folder_that_cannot_be_written() -> None:
    with pytest.raises(OutputError, match="not a folder to write to"):
        make_folder(Path("/proc/self"))
