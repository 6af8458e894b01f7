"""`carrel batch --files`: lists instead of folders, a budget of failures, and journals that lie where they may."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from batch_pages import ENTRY, expected, write_page
from carrel.batch.shares import network_share
from command_line import exit_code_of

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def pages_for_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))


def batch(*arguments: object) -> int:
    return exit_code_of("batch", *arguments, "--pages-with", ENTRY, "--workers", 1)


def texts(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in folder.rglob("*.txt")}


def test_a_list_is_read_as_its_folder_would_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["1902/a.png", "b 2.png", "odd\nname.png", "scan.unknown"]
    for number, name in enumerate(names):
        write_page(tmp_path / "in" / "x.png", number).rename(_made(tmp_path / "in" / name))
    write_page(tmp_path / "in" / "not listed.png", 9)
    (tmp_path / "list").write_bytes("\0".join([*names, "1902/../b 2.png", "gone.png"]).encode())
    assert batch(tmp_path / "in", "--files", tmp_path / "list", "-o", tmp_path / "out") == 3
    err = capsys.readouterr().err
    assert "5 files found: 4 read, 1 went away" in err
    read = {"1902/a.txt": 0, "b 2.txt": 1, "odd_name.txt": 2, "scan.txt": 3}
    assert texts(tmp_path / "out") == {name: expected(number) for name, number in read.items()}
    write_page(tmp_path / "in" / "gone.png", 4)
    assert batch(tmp_path / "in", "--files", tmp_path / "list", "-o", tmp_path / "out") == 0
    assert texts(tmp_path / "out")["gone.txt"] == expected(4)


def _made(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    return path


def test_a_list_from_stdin_is_below_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_page(tmp_path / "in" / "a" / "1.png", 1)
    write_page(tmp_path / "in" / "b" / "2.png", 2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"in/a/1.png\nin/b/2.png\n")))
    assert batch("--files", "-", "-o", "out") == 0
    assert texts(tmp_path / "out") == {"a/1.txt": expected(1), "b/2.txt": expected(2)}


@pytest.mark.parametrize(
    ("contents", "code", "says"),
    [("", 3, "names no files"), ("../out.png\n", 2, "does not lie in"), (None, 3, "the list cannot be read")],
)
def test_lists_that_name_nothing_to_read(
    tmp_path: Path, contents: str | None, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    if contents is not None:
        (tmp_path / "list").write_text(contents, "utf-8")
    assert batch(tmp_path / "in", "--files", tmp_path / "list", "-o", tmp_path / "out") == code
    assert says in capsys.readouterr().err


def test_failures_stop_the_batch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    for number in range(30):
        (tmp_path / "in" / f"{number}.png").write_bytes(b"no scan %d" % number)
    assert batch(tmp_path / "in", "-o", tmp_path / "out", "--stop-after-failures", 4) == 3
    err = capsys.readouterr().err
    assert "stopped after 4 failures" in err
    refused = err.count("a file was refused")
    assert 4 <= refused < 12
    assert batch(tmp_path / "in", "-o", tmp_path / "out") == 3
    assert "30 files found: 30 refused" in capsys.readouterr().err


MOUNTS = r"""
22 1 254:0 / / rw shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /mnt/share rw - nfs4 server:/export rw
31 22 0:41 / /mnt/own\040cloud rw - fuse.sshfs me@host: rw
32 30 8:1 / /mnt/share/disk rw - xfs /dev/sdb rw
33 22 0:42 / /mnt/usb rw - fuseblk /dev/sdc1 rw
34 22 0:43 / /mnt/crypt rw - fuse.gocryptfs /x rw
35 22 0:44 / /mnt/over rw - ext4 /dev/sdd rw
36 35 0:45 / /mnt/over rw - cifs //nas/x rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/x", None),
        ("/mnt/share/out", "nfs4"),
        ("/mnt/shared", None),
        ("/mnt/own cloud/out", "fuse.sshfs"),
        ("/mnt/share/disk/out", None),
        ("/mnt/usb/out", None),
        ("/mnt/crypt", None),
        ("/mnt/over/a/b", "cifs"),
    ],
)
def test_shares_are_known_by_what_is_mounted(tmp_path: Path, path: str, kind: str | None) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS.lstrip(), "utf-8")
    assert network_share(Path(path), tmp_path / "mountinfo") == kind


def test_no_journal_on_a_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output is taken for a share; with the journal elsewhere it is written to all the same."""
    write_page(tmp_path / "in" / "a.png", 1)
    share = tmp_path / "share"
    share.mkdir()
    (tmp_path / "mountinfo").write_text(f"1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / {share} rw - nfs4 x rw\n", "utf-8")
    defaults = (tmp_path / "mountinfo",)
    monkeypatch.setattr(network_share, "__defaults__", defaults)
    assert batch(tmp_path / "in", "-o", share / "out") == 2
    assert "lies on a network share (nfs4)" in capsys.readouterr().err
    assert not [*share.iterdir()]
    assert batch(tmp_path / "in", "-o", share / "out", "--state", tmp_path / "state") == 0
    assert texts(share / "out") == {"a.txt": expected(1)}
