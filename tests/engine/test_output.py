"""Results are whole or absent."""

from __future__ import annotations

import fcntl
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from carrel.errors import OutputError
from carrel.output import folder_below, make_folder, sweep, write_file, write_in


def test_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "page.txt"
    write_file(path, b"first")
    write_file(path, b"second")
    assert path.read_bytes() == b"second"
    assert [p.name for p in tmp_path.iterdir()] == ["page.txt"]


def test_disk_that_takes_no_more_leaves_nothing_behind(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"page\.txt: cannot be written \(File too large"):
            write_file(tmp_path / "page.txt", b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_what_lies_in_the_way_is_not_written_to(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious", "utf-8")
    (tmp_path / "out").mkdir()
    for name in ("page.txt.part", ".carrel.part", "page.txt"):
        (tmp_path / "out" / name).symlink_to(victim)
    os.mkfifo(tmp_path / "out" / "pipe.txt")
    make_folder(tmp_path / "out")
    for name in ("page.txt", "pipe.txt"):
        write_file(tmp_path / "out" / name, b"text")
        assert (tmp_path / "out" / name).read_bytes() == b"text"
        assert not (tmp_path / "out" / name).is_symlink()
    assert victim.read_text("utf-8") == "precious"


def test_two_processes_in_one_folder_do_not_disturb_each_other(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from carrel.output import make_folder\n"
    code += "for _ in range(500): make_folder(Path(sys.argv[1]))"
    both = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stderr=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate()[1] for process in both] == [b"", b""]


def test_folders_are_entered_through_no_link_and_lead_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "else").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "else")
    for relative in ("link", "../else", "a//b", "/tmp", ".", "new/../../else", "a\0b"):
        with pytest.raises(OSError), folder_below(tmp_path / "out", relative, make=True):
            raise AssertionError(f"{relative} was entered")
    with folder_below(tmp_path / "out", "a/b", make=True) as folder:
        write_in(folder, "page.txt", b"text")
    assert (tmp_path / "out/a/b/page.txt").read_bytes() == b"text"
    assert list((tmp_path / "else").iterdir()) == []


def test_sweep_takes_what_a_killed_process_left_and_nothing_else(tmp_path: Path) -> None:
    left, busy, other = (tmp_path / name for name in (f".carrel-{'0' * 16}.part", f".carrel-{'1' * 16}.part", "a.part"))
    for path in (left, busy, other):
        path.write_bytes(b"half")
    with busy.open("rb") as held, folder_below(tmp_path, "") as folder:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert sweep(folder) == 1
    assert sorted(tmp_path.iterdir()) == sorted([busy, other])


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", "utf-8")
    with pytest.raises(OutputError, match="not a folder to write to"):
        make_folder(tmp_path / "taken")


def test_folder_that_cannot_be_written() -> None:
    with pytest.raises(OutputError, match="not a folder to write to"):
        make_folder(Path("/proc/self"))
