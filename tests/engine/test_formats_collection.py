"""Folders of pages as METS and IIIF: every reference leads somewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from carrel.formats import FORMATS
from carrel.formats.write.collection.entries import ALTO_PROFILE, Entry
from carrel.formats.write.collection.iiif import write_iiif
from carrel.formats.write.collection.mets import write_mets
from carrel.page import Source
from carrel_cli.manifest import command
from oracle_formats import escriptorium_mets, page_of

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
    assert files == {
        "IMG_1": "a%201.jpg",
        "IMG_2": "b.tif",
        "ALTO_1": "a%201.alto.xml",
        "TEXT_1": "a%201.alto.xml",
        "PDF_1": "a%201.pdf",
    }
    pages = root.findall("m:structMap[@TYPE='PHYSICAL']/m:div/m:div[@TYPE='page']", names)
    pointers = [[pointer.get("FILEID") for pointer in page] for page in pages]
    assert pointers == [["IMG_1", "ALTO_1", "TEXT_1", "PDF_1"], ["IMG_2"]]
    assert [page.get("LABEL") for page in pages] == ["scan.png, page 1", "scan.png, page 1"]
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


FOLDERS = {
    "1902/deed-0001": Source("deed.tif"),
    "1902/deed-0002": Source("deed.tif", 1),
    "1902/a/letter": Source("letter.jpg"),
    "cover": Source("cover.png"),
}


def collection(folder: Path) -> Path:
    for name, source in FOLDERS.items():
        path = folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(FORMATS["json"].write(page_of(f"page of {name}", source=source)))
    (folder / "1902" / "deed-0001.pdf").write_bytes(b"%PDF-")
    return folder


def test_folders_and_documents_are_parts_of_the_whole(tmp_path: Path) -> None:
    scans = tmp_path / "in"
    scans.mkdir()
    out = collection(tmp_path / "out")
    result = CliRunner().invoke(command, [str(out), "--base-url", "https://example.org", "--images", str(scans)])
    assert result.exit_code == 0, result.output
    root = etree.fromstring((out / "mets.xml").read_bytes())
    names = {"m": "http://www.loc.gov/METS/"}
    logical = root.find("m:structMap[@TYPE='LOGICAL']/m:div", names)

    def told(division: object) -> object:
        return division.get("TYPE"), division.get("LABEL"), [told(inner) for inner in division]  # type: ignore[attr-defined]

    assert told(logical) == (
        "collection",
        "out",
        [
            ("folder", "1902", [("folder", "a", [("document", "letter", [])]), ("document", "deed", [])]),
            ("document", "cover", []),
        ],
    )
    ends = [
        tuple(link.get(f"{{http://www.w3.org/1999/xlink}}{end}") for end in ("from", "to"))
        for link in root.iterfind(".//m:smLink", names)
    ]
    deed = next(division.get("ID") for division in root.iterfind(".//m:div[@LABEL='deed']", names))
    assert [to for start, to in ends if start == deed] == ["phys2", "phys3"]
    hrefs = {file[0].get("{http://www.w3.org/1999/xlink}href") for file in root.iterfind(".//m:file", names)}
    assert hrefs == {"../in/1902/a/letter.jpg", "../in/cover.png", "1902/deed-0001.pdf"}
    structures = json.loads((out / "manifest.json").read_text("utf-8"))["structures"]
    assert [entry["label"]["none"][0] for entry in structures] == ["1902", "cover"]
    deeds = structures[0]["items"][1]
    assert [item["id"] for item in deeds["items"]] == [f"https://example.org/canvas/{n}" for n in (2, 3)]


def test_a_document_has_one_text(tmp_path: Path) -> None:
    out = collection(tmp_path)
    result = CliRunner().invoke(command, [str(out), "--text"])
    assert result.exit_code == 0 and "4 pages, 1 documents' texts" in result.output
    text = out / "1902" / "deed.txt"
    assert text.read_text("utf-8") == "page of 1902/deed-0001\n\fpage of 1902/deed-0002\n"
    assert sorted(out.rglob("*.txt")) == [text]
    text.write_text("mine", "utf-8")
    assert "deed.txt: not Carrel's" in CliRunner().invoke(command, [str(out), "--text"]).output
    assert text.read_text("utf-8") == "mine"


def test_escriptorium_takes_image_and_transcription_of_each_page(tmp_path: Path) -> None:
    """It skips FULLTEXT, where DFG viewers look for ALTO."""
    for name, form in (("a", "alto"), ("b", "page"), ("c", "json")):
        page = page_of(name, source=Source(f"{name}.jpg"))
        (tmp_path / f"{name}{FORMATS[form].suffix}").write_bytes(FORMATS[form].write(page))
    assert CliRunner().invoke(command, [str(tmp_path)]).exit_code == 0
    assert escriptorium_mets((tmp_path / "mets.xml").read_bytes()) == [
        ("a.jpg", {"TRANSCRIPTION": "a.alto.xml"}),
        ("b.jpg", {"TRANSCRIPTION": "b.page.xml"}),
        ("c.jpg", {}),
    ]


def _manifest(folder: Path, *options: str) -> tuple[dict[str, Any], str]:
    result = CliRunner().invoke(command, [str(folder), "--base-url", "https://example.org/x/", *options])
    assert result.exit_code == 0, result.output
    return json.loads((folder / "manifest.json").read_text("utf-8")), result.stderr


def _pages_of(file_name: str, folder: Path) -> Path:
    folder.mkdir()
    for index in range(2):
        name = f"{file_name.partition('.')[0]}-{index + 1:04d}"
        page = page_of(f"page {index}", source=Source(file_name, index))
        for form in ("json", "tei"):
            (folder / f"{name}{FORMATS[form].suffix}").write_bytes(FORMATS[form].write(page))
    return folder


def test_a_page_of_a_pdf_is_no_image(tmp_path: Path) -> None:
    """A viewer cannot paint a PDF: it is linked, each page with its number, and a word says that pictures are missing."""
    scans, out = tmp_path / "in", _pages_of("deed.pdf", tmp_path / "out")
    scans.mkdir()
    manifest, said = _manifest(out, "--images", str(scans))
    assert "2 of 2 pages have no image, deed.pdf" in said and "deed-0001.jpg" in said
    assert [canvas["label"]["none"] for canvas in manifest["items"]] == [["deed.pdf, page 1"], ["deed.pdf, page 2"]]
    assert not any("items" in canvas for canvas in manifest["items"])
    links = [canvas["rendering"][0]["id"] for canvas in manifest["items"]]
    assert links == [f"https://example.org/x/../in/deed.pdf#page={number}" for number in (1, 2)]
    assert [canvas["seeAlso"][0]["format"] for canvas in manifest["items"]] == ["application/tei+xml"] * 2
    assert b"image/" not in (out / "mets.xml").read_bytes()
    (out / "deed.pdf").write_bytes(b"%PDF-")  # the searchable PDF of the whole document
    (scans / "deed-0002.jpg").write_bytes(b"")
    manifest, said = _manifest(out, "--images", str(scans))
    assert "1 of 2 pages have no image" in said
    (painting,) = manifest["items"][1]["items"][0]["items"]
    assert painting["body"]["id"] == "https://example.org/x/../in/deed-0002.jpg"
    assert manifest["items"][1]["rendering"][0]["id"] == "https://example.org/x/deed.pdf#page=2"


def test_a_page_of_a_tiff_of_several_is_no_image(tmp_path: Path) -> None:
    manifest, said = _manifest(_pages_of("deed.tif", tmp_path / "out"))
    assert "2 of 2 pages have no image" in said and not any("items" in canvas for canvas in manifest["items"])
    assert not any("rendering" in canvas for canvas in manifest["items"])


def test_a_folder_with_tei_alone_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.tei.xml").write_bytes(FORMATS["tei"].write(page_of("a")))
    result = CliRunner().invoke(command, [str(tmp_path)])
    assert "read them with one of these formats too" in str(result.exception)


def test_presentation_2(tmp_path: Path) -> None:
    out = collection(tmp_path)
    made, _ = _manifest(out, "--presentation", "2")
    assert (made["@context"], made["@type"]) == ("http://iiif.io/api/presentation/2/context.json", "sc:Manifest")
    canvases = made["sequences"][0]["canvases"]
    assert [canvas["label"] for canvas in canvases] == [
        "letter.jpg", "deed.tif, page 1", "deed.tif, page 2", "cover.png",
    ]  # fmt: skip
    resources = [[image["resource"]["@id"] for image in canvas["images"]] for canvas in canvases]
    assert resources == [["https://example.org/x/1902/a/letter.jpg"], [], [], ["https://example.org/x/cover.png"]]
    ranges = {entry["label"]: entry for entry in made["structures"]}
    assert ranges["deed"]["canvases"] == [canvases[1]["@id"], canvases[2]["@id"]]
    known = {entry["@id"] for entry in made["structures"]}
    assert all(set(entry.get("ranges", [])) <= known for entry in made["structures"])
    assert canvases[1]["rendering"]["@id"] == "https://example.org/x/1902/deed-0001.pdf"
