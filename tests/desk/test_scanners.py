"""Scanning through Debian's ``scanimage`` and its ``test`` backend; skipped where sane-utils is not installed."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from PIL import Image

from carrel.errors import CarrelError, UsageError
from carrel_desk.desk.scanners import Scanner, Scanners, Wanted, parse_options

TOLD = """
All options specific to device `brand:/dev/usb':
  Scan Mode:
    --mode Lineart|Gray|Color [Color]
        Selects the scan mode.
    --resolution 75|150|300|600dpi [300]
    --source Flatbed|ADF Duplex [Flatbed]
"""


def test_options_are_those_that_the_scanner_tells() -> None:
    known = parse_options("brand:/dev/usb", "Brand", TOLD)
    assert known == Scanner(
        "brand:/dev/usb", "Brand", ("Flatbed", "ADF Duplex"), ("Lineart", "Gray", "Color"), (75, 150, 300, 600)
    )
    ranged = parse_options("x", "X", "    --resolution 50..400dpi (in steps of 1) [50]\n")
    assert ranged.resolutions == (100, 150, 200, 300, 400)


@pytest.fixture
def test_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only SANE's ``test`` backend is asked."""
    if shutil.which("scanimage") is None:
        pytest.skip("needs scanimage (Debian: apt-get install sane-utils)")
    folder = tmp_path / "sane"
    folder.mkdir()
    (folder / "dll.conf").write_text("test\n")
    monkeypatch.setenv("SANE_CONFIG_DIR", str(folder))


@pytest.mark.usefixtures("test_backend")
def test_scanning_with_the_test_backend(tmp_path: Path) -> None:
    async def scan() -> None:
        scanners = Scanners()
        found = await scanners.find()
        assert [scanner.name for scanner in found] == ["test:0", "test:1"]
        assert found[0].modes == ("Gray", "Color")
        assert "Flatbed" in found[0].sources and 300 in found[0].resolutions
        spool = tmp_path / "spool"
        spool.mkdir()
        first, _ = await scanners.scan(Wanted("test:0", "Flatbed", "Gray", 100), spool)
        second, _ = await scanners.scan(Wanted("test:0", "Flatbed", "Gray", 100), spool)
        assert len({file.path for file in (*first, *second)}) == 2
        with Image.open(first[0].path) as image:
            assert image.info["dpi"] == (100, 100)
        fed, trouble = await scanners.scan(Wanted("test:0", "Automatic Document Feeder", "Gray", 100), spool)
        assert (len(fed), trouble) == (10, "")
        assert len(list(spool.iterdir())) == 12
        with pytest.raises(UsageError, match="offers no mode"):
            await scanners.scan(Wanted("test:0", mode="Sepia"), spool)
        with pytest.raises(UsageError, match="no such scanner"):
            await scanners.scan(Wanted("net:elsewhere"), spool)

    asyncio.run(scan())


JAMS = """#!/bin/sh
for word; do case "$word" in
-f) printf 'feeder:0\\tMaker Feeder\\n'; exit 0 ;;
-A) printf '    --source ADF [ADF]\\n'; exit 0 ;;
--batch=*) batch=${word#--batch=} ;;
esac; done
for number in 1 2; do printf sheet > "$(printf "$batch" $number)"; done
printf half > "$(printf "$batch" 3).part"
echo 'scanimage: sane_start: Document feeder jammed' >&2
exit 6
"""


def test_sheets_before_a_jam_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "scanimage"
    program.parent.mkdir()
    program.write_text(JAMS)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    spool = tmp_path / "spool"
    spool.mkdir()
    sheets, trouble = asyncio.run(Scanners().scan(Wanted("feeder:0", "ADF"), spool))
    assert [sheet.path.read_text() for sheet in sheets] == ["sheet", "sheet"]
    assert trouble == "sane_start: Document feeder jammed"
    assert len(list(spool.iterdir())) == 2


def test_without_scanimage_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(CarrelError, match="sane-utils"):
        asyncio.run(Scanners().find())
