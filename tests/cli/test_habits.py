"""What every command does alike: missing folders, misspelt names, messages for services."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from carrel_cli.common.steps import scan_files
from carrel_cli.main import main

OF_FOLDERS = (
    ("apply", "{}"), ("review", "{}"), ("manifest", "{}"), ("eval", "{}", "{}"), ("inspect", "{}"),
    ("batch", "{}", "-o", "out"), ("watch", "{}", "-o", "out"), ("purge", "{}"), ("batch", "--status", "{}"),
    ("review", ".", "--images", "{}"), ("review", ".", "--corrected", "{}"),
)  # fmt: skip


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    before = sys.argv
    sys.argv = ["carrel", *arguments]
    try:
        with pytest.raises(SystemExit) as stop:
            main()
    finally:
        sys.argv = before
    out, err = capsys.readouterr()
    assert isinstance(stop.value.code, int)
    return stop.value.code, out, err


@pytest.mark.parametrize("command", OF_FOLDERS, ids=" ".join)
def test_a_misspelt_folder_is_called_so_by_every_command(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *(part.format("nofolder") for part in command))
    assert (code, out) == (3, "") and "nofolder" in err and "check the name" in err, err
    (tmp_path / "nofolders").mkdir()
    code, out, err = run(capsys, *(part.format("nofolder") for part in command))
    assert (code, out) == (3, "") and "did you mean nofolders?" in err, err


def test_a_misspelt_command_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "raed", "x.png")
    assert (code, out) == (2, "") and "there is no command 'raed'; did you mean read?" in err
    assert "carrel --help lists them" in run(capsys, "qqqq")[2]


def test_messages_for_services_are_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in (("--log-format", "json"), ()):
        code, _, err = run(capsys, *arguments, "review", "/nofolder/x")
        (line,) = err.splitlines()
        told = json.loads(line)
        assert code == 3 and told["level"] == "error" and told["message"].startswith("there is no folder /nofolder/x")
        assert told["time"].endswith("Z") and told["module"].startswith("carrel")
        monkeypatch.setenv("CARREL_LOG_FORMAT", "json")


def test_scans_below_a_folder_are_named_as_their_results(tmp_path: Path) -> None:
    for name in ("b.png", "a/c.tif", "a/notes.txt", "a/d/e.jpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"x")
    assert list(scan_files([tmp_path / "in"])) == ["b", "a/c", "a/d/e"]
    assert list(scan_files([tmp_path / "in" / "b.png", tmp_path / "in" / "a" / "c.tif"])) == ["b", "c"]


def test_inspect_walks_a_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    scan = tmp_path / "in" / "1902" / "blank.png"
    scan.parent.mkdir(parents=True)
    Image.new("L", (300, 200), 255).save(scan)
    code, out, err = run(capsys, "inspect", str(tmp_path / "in"), "-o", str(tmp_path / "out"))
    assert code == 0, err
    assert (tmp_path / "out" / "1902" / "blank.inspect.png").is_file() and "0 % of the words" in out.replace(
        "0%", "0 %"
    )
