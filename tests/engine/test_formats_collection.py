"""Folders of pages as METS and IIIF: every reference leads somewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from click.testing import CliRunner
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from carrel.formats import FORMATS
from carrel.formats.write.collection import ALTO_PROFILE, Entry, natural_key, write_iiif, write_mets
from carrel.page import Source
from carrel_cli.manifest import command
from oracle_formats import page_of

ENTRIES = [
    Entry(page_of("first", "", "line"), "a 1.jpg", "a 1.alto.xml", "a 1.pdf"),
    Entry(page_of(), "b.tif"),
]


def test_iiif() -> None:
    manifest = json.loads(write_iiif(ENTRIES, "https://example.org/x/", "Letters\x00"))
    assert manifest["@context"] == "http://iiif.io/api/presentation/3/context.json"
    assert (manifest["type"], manifest["label"]) == ("Manifest", {"none": ["Letters"]})
    first, second = manifest["items"]
    assert (first["width"], first["height"]) == (1000, 800)
    (painting,) = first["items"][0]["items"]
    assert painting["body"]["id"] == "https://example.org/x/a%201.jpg" and painting["body"]["format"] == "image/jpeg"
    assert painting["target"] == first["id"]
    (alto,) = first["seeAlso"]
    assert (alto["id"], alto["profile"]) == ("https://example.org/x/a%201.alto.xml", ALTO_PROFILE)
    texts = [(item["body"]["value"], item["target"]) for item in first["annotations"][0]["items"]]
    assert texts == [("first", f"{first['id']}#xywh=60,30,881,56"), ("line", f"{first['id']}#xywh=60,190,881,56")]
    assert "seeAlso" not in second and "rendering" not in second
    identities = [item["id"] for item in (manifest, first, second, painting)]
    assert len(set(identities)) == 4


def test_mets() -> None:
    root = etree.fromstring(write_mets(ENTRIES, "Letters"))
    names = {"m": "http://www.loc.gov/METS/"}
    href = "{http://www.w3.org/1999/xlink}href"
    files = {file.get("ID"): file[0].get(href) for file in root.iterfind(".//m:file", names)}
    assert files == {"IMG_1": "a%201.jpg", "IMG_2": "b.tif", "ALTO_1": "a%201.alto.xml", "PDF_1": "a%201.pdf"}
    pages = root.findall("m:structMap[@TYPE='PHYSICAL']/m:div/m:div[@TYPE='page']", names)
    assert [[pointer.get("FILEID") for pointer in page] for page in pages] == [["IMG_1", "ALTO_1", "PDF_1"], ["IMG_2"]]
    linked = {link.get("{http://www.w3.org/1999/xlink}to") for link in root.iterfind(".//m:smLink", names)}
    assert linked == {page.get("ID") for page in pages}


def test_command(tmp_path: Path) -> None:
    for number in (10, 9):
        page = replace(page_of(f"page {number}"), source=Source(f"p{number}.png"))
        (tmp_path / f"p{number}.alto.xml").write_bytes(FORMATS["alto"].write(page))
    for _ in range(2):  # what it writes is no page the second time
        result = CliRunner().invoke(command, [str(tmp_path), "--base-url", "https://example.org", "--label", "P"])
        assert result.exit_code == 0, result.output
    canvases = json.loads((tmp_path / "manifest.json").read_text("utf-8"))["items"]
    images = [canvas["items"][0]["items"][0]["body"]["id"] for canvas in canvases]
    assert images == ["https://example.org/p9.png", "https://example.org/p10.png"]
    assert b"p9.alto.xml" in (tmp_path / "mets.xml").read_bytes()


def test_numbers_sort_as_numbers() -> None:
    assert sorted(["p10", "p9", "10", "p9b", "9"], key=natural_key) == ["9", "10", "p9", "p9b", "p10"]
