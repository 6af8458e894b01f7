"""The processor in the real OCR-D framework, on a small workspace: equal to ``carrel read``, lines kept, pages that fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]
from PIL import Image

import carrel
from carrel.formats import FORMATS, read_page
from carrel.page import Box, Page, Region

pytest.importorskip("ocrd", reason="ocrd is not installed: uv sync --inexact --group programs")
from ocrd_validators import OcrdToolValidator, ParameterValidator  # pyright: ignore[reportMissingImports]

import carrel_ocrd

PAGES = Path(__file__).parents[1] / "pages"
BIN = Path(sys.executable).parent


def ocrd(folder: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(folder), **environment}
    command = [str(BIN / "ocrd"), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The head of the letter: print and handwriting, quick to read."""
    path = tmp_path_factory.mktemp("scan") / "head.png"
    with Image.open(PAGES / "letter.jpg") as image:
        image.crop((0, 60, image.width, 800)).save(path, dpi=(300, 300))
    return path


@pytest.fixture(scope="module")
def workspace(scan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pages, of which the second is no picture, read once."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "IMG").mkdir()
    shutil.copy(scan, folder / "IMG" / "one.png")
    with Image.open(scan) as image:
        image.crop((0, 0, 60, 60)).save(folder / "IMG" / "two.png")
    assert ocrd(folder, "workspace", "init").returncode == 0
    assert ocrd(folder, "workspace", "set-id", "letter").returncode == 0
    for page in ("one", "two"):
        added = ("-G", "IMG", "-i", f"IMG_{page}", "-g", page, "-m", "image/png", f"IMG/{page}.png")
        done = ocrd(folder, "workspace", "add", *added)
        assert done.returncode == 0, done.stderr
    cut = (folder / "IMG" / "two.png").read_bytes()
    (folder / "IMG" / "two.png").write_bytes(cut[:60])
    done = ocrd(
        folder, "process", "carrel-recognize -I IMG -O READ", OCRD_MISSING_OUTPUT="SKIP", OCRD_MAX_MISSING_OUTPUTS="-1"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def result(folder: Path, group: str) -> Page:
    (file,) = (folder / group).glob("*one*.xml")
    return read_page(file)


def test_the_tool_is_described_as_ocr_d_asks() -> None:
    import json

    described = json.loads((Path(carrel_ocrd.__file__).parent / "ocrd-tool.json").read_text("utf-8"))
    assert described["version"] == carrel.__version__
    report = OcrdToolValidator.validate(described)
    assert report.is_valid, report.to_xml()
    tool = described["tools"]["ocrd-carrel-recognize"]
    assert ParameterValidator(tool).validate({"writing": "printed"}).is_valid


def test_pages_are_as_carrel_reads_them(workspace: Path, scan: Path) -> None:
    read = read_page(FORMATS["page"].write(carrel.read(scan, carrel.ReadOptions(threads=1))))
    found = result(workspace, "READ")
    assert (found.width_px, found.height_px) == (read.width_px, read.height_px)
    assert without_outlines(found) == without_outlines(read)
    assert "handwritten" in {line.writing.kind for line in found.lines}
    assert [line.polygon for line in found.lines] == [line.polygon for line in read.lines]
    for line in found.lines:
        for word in line.words:
            assert word.box.left < word.box.right and word.box.top < word.box.bottom


def without_outlines(page: Page) -> list[Region]:
    """Regions without the outlines that OCR-D has rules for: words within lines, lines within regions."""
    nowhere = Box(0, 0, 0, 0)
    lines = [
        [replace(line, words=tuple(replace(word, box=nowhere) for word in line.words)) for line in region.lines]
        for region in page.regions
    ]
    return [replace(region, polygon=(), lines=tuple(of)) for region, of in zip(page.regions, lines, strict=True)]


def test_a_page_that_fails_is_a_missing_output(workspace: Path) -> None:
    assert [file.name for file in (workspace / "READ").glob("*.xml")] == ["READ_one.xml"]
    done = ocrd(workspace, "workspace", "find", "-G", "READ", "-k", "pageId")
    assert done.stdout.split() == ["one"]


def test_the_workspace_is_valid(workspace: Path) -> None:
    done = ocrd(workspace, "workspace", "validate", "--skip", "url", "--skip", "dimension")  # the cut-off picture
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


def read_again(workspace: Path, file: Path, marked: bytes, options: str) -> None:
    """Read what was read, with one PAGE file ``marked`` meanwhile."""
    before = file.read_bytes()
    file.write_bytes(marked)
    try:
        done = ocrd(workspace, "process", f"carrel-recognize -I READ {options}")
        assert done.returncode == 0, done.stderr[-2000:]
    finally:
        file.write_bytes(before)


def test_lines_of_a_workspace_are_read_where_they_stand(workspace: Path) -> None:
    (file,) = (workspace / "READ").glob("*one*.xml")
    before = file.read_bytes()
    first = read_page(before)
    marked = (
        before.replace(b'"r0l', b'"foreign_')
        .replace(b'id="r0"', b'id="block"')
        .replace(b'regionRef="r0"', b'regionRef="block"')
    )
    assert marked != before
    read_again(workspace, file, marked, "-O AGAIN -P textequiv_level line")
    again = result(workspace, "AGAIN")
    assert [line.id for line in again.lines] == [line.id.replace("r0l", "foreign_") for line in first.lines]
    assert [(line.baseline, line.polygon) for line in again.lines] == [(o.baseline, o.polygon) for o in first.lines]
    assert not any(line.words for line in again.lines)
    same = sum(a.text == b.text for a, b in zip(again.lines, first.lines, strict=True))
    assert same >= len(first.lines) - 2  # cut from whole px instead of parts of px


def test_ids_of_what_stays_on_a_page_are_not_given_again(workspace: Path) -> None:
    (file,) = (workspace / "READ").glob("*one*.xml")
    before = file.read_bytes()
    image = b'<pc:ImageRegion id="%s"><pc:Coords points="0,0 9,0 9,9 0,9"/></pc:ImageRegion>'
    kept = image % b"r0l1" + image % b"carrel0_r0"
    marked = before.replace(b"</pc:Page>", kept + b"</pc:Page>").replace(b'"r0l1"', b'"l1"', 1)
    assert marked.count(kept) == 1
    read_again(workspace, file, marked, "-O ANEW -P segmentation always")
    (made,) = (workspace / "ANEW").glob("*one*.xml")
    root = etree.fromstring(made.read_bytes())
    ids = root.xpath("//@id")
    assert len(ids) == len(set(ids)) and {"r0l1", "carrel0_r0", "carrel1_r0", "carrel1_r0l1"} <= set(ids)
    assert set(root.xpath("//@regionRef")) <= set(ids)
    assert [line.text for line in read_page(made).lines] == [line.text for line in read_page(before).lines]


def test_without_the_framework_the_command_says_what_to_install(tmp_path: Path) -> None:
    start = "import sys; sys.modules['ocrd'] = None; import importlib.util as u; u.find_spec = lambda name: None"
    code = f"{start}; import carrel_ocrd; carrel_ocrd.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, "pip install 'carrel[ocrd]'" in done.stderr) == (1, True)
