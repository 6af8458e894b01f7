"""A folder of pages as one object: METS for digital libraries, a IIIF Presentation 3 manifest for viewers.

Both name files relative to where they will stand; nothing is fetched. Viewers find the text in three ways: the
``seeAlso`` to the ALTO file, the PDF under ``rendering``, and annotations with one line of text each.
"""

from __future__ import annotations

import json
import mimetypes
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import quote

from carrel.formats.write.contents import Division, divisions_of
from carrel.formats.write.interchange import clean_text, interchange
from carrel.formats.xml_tree import Element, child, to_bytes
from carrel.languages import document_language
from carrel.page import Box, Page

ALTO_PROFILE = "http://www.loc.gov/standards/alto/v4/alto.xsd"
ALTO_TYPE = "application/alto+xml"
_IIIF_CONTEXT = "http://iiif.io/api/presentation/3/context.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """One page of a collection with the names of its files; empty where there is none. ``name`` is that of its results,
    with slashes: it says which folder and document the page belongs to."""

    page: Page
    image: str
    alto: str = ""
    pdf: str = ""
    name: str = ""


def write_iiif(entries: Sequence[Entry], base_url: str, label: str) -> bytes:
    """Return a IIIF Presentation 3 manifest.

    Parameters
    ----------
    entries
        In reading order.
    base_url
        Where the manifest and all files will be found, with or without a slash at the end.
    label
        The title that viewers show.
    """
    base = base_url.rstrip("/") + "/"
    manifest = {
        "@context": _IIIF_CONTEXT,
        "id": f"{base}manifest.json",
        "type": "Manifest",
        "label": {"none": [clean_text(label)]},
        "items": [_canvas(entry, base, number) for number, entry in enumerate(entries, 1)],
    }
    contents = _contents(entries, label)
    if contents.divisions:
        manifest["structures"] = [
            _range(division, base, f"{number}") for number, division in enumerate(contents.divisions, 1)
        ]
    return json.dumps(manifest, ensure_ascii=False, indent=1).encode() + b"\n"


def _contents(entries: Sequence[Entry], label: str) -> Division:
    return divisions_of(label, [(entry.name, entry.page.source.file_name) for entry in entries])


def _range(division: Division, base: str, number: str) -> dict[str, Any]:
    """A folder or document as viewers list it in their table of contents."""
    below = [_range(inner, base, f"{number}-{index}") for index, inner in enumerate(division.divisions, 1)]
    canvases = [{"id": f"{base}canvas/{page}", "type": "Canvas"} for page in division.pages]
    label = {"none": [clean_text(division.label)]}
    return {"id": f"{base}range/{number}", "type": "Range", "label": label, "items": [*below, *canvases]}


def _canvas(entry: Entry, base: str, number: int) -> dict[str, Any]:
    page = interchange(entry.page)
    identity = f"{base}canvas/{number}"
    size = {"width": page.width_px, "height": page.height_px}
    body = {"id": base + quote(entry.image), "type": "Image", "format": _media_type(entry.image), **size}
    painting = {
        "id": f"{identity}/image",
        "type": "Annotation",
        "motivation": "painting",
        "body": body,
        "target": identity,
    }
    canvas: dict[str, Any] = {"id": identity, "type": "Canvas", "label": {"none": [str(number)]}, **size}
    canvas["items"] = [{"id": f"{identity}/images", "type": "AnnotationPage", "items": [painting]}]
    canvas["annotations"] = [{"id": f"{identity}/text", "type": "AnnotationPage", "items": _lines(page, identity)}]
    if entry.alto:
        alto = {"id": base + quote(entry.alto), "type": "Dataset", "format": ALTO_TYPE, "profile": ALTO_PROFILE}
        canvas["seeAlso"] = [alto]
    if entry.pdf:
        pdf = {"id": base + quote(entry.pdf), "type": "Text", "format": "application/pdf"}
        canvas["rendering"] = [pdf | {"label": {"en": ["Searchable PDF"]}}]
    return canvas


def _lines(page: Page, canvas: str) -> list[dict[str, Any]]:
    """One annotation for each line that has text, on the line's box."""
    language = document_language(page.provenance.languages)
    annotations: list[dict[str, Any]] = []
    for number, line in enumerate((line for line in page.lines if line.final_text), 1):
        box = Box.around(line.polygon)
        place = f"xywh={box.left},{box.top},{box.right - box.left},{box.bottom - box.top}"
        body = {"type": "TextualBody", "value": line.final_text, "format": "text/plain", "language": language}
        annotation = {"id": f"{canvas}/text/{number}", "type": "Annotation", "motivation": "supplementing"}
        annotations.append(annotation | {"body": body, "target": f"{canvas}#{place}"})
    return annotations


def _media_type(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def write_mets(entries: Sequence[Entry], label: str) -> bytes:
    """Write METS with the images, the full text in ALTO, the pages in order, and the folders and documents they are in."""
    root = ET.Element(
        "mets",
        {
            "xmlns": "http://www.loc.gov/METS/",
            "xmlns:xlink": "http://www.w3.org/1999/xlink",
            "LABEL": clean_text(label),
        },
    )
    files = child(root, "fileSec")
    _add_group(files, "DEFAULT", "IMG", [(entry.image, _media_type(entry.image)) for entry in entries])
    _add_group(files, "FULLTEXT", "ALTO", [(entry.alto, ALTO_TYPE) for entry in entries])
    _add_group(files, "DOWNLOAD", "PDF", [(entry.pdf, "application/pdf") for entry in entries])
    physical = child(root, "structMap", TYPE="PHYSICAL")
    sequence = child(physical, "div", ID="physSequence", TYPE="physSequence")
    for number, entry in enumerate(entries, 1):
        division = child(sequence, "div", ID=f"phys{number}", ORDER=str(number), TYPE="page")
        for prefix, name in (("IMG", entry.image), ("ALTO", entry.alto), ("PDF", entry.pdf)):
            if name:
                child(division, "fptr", FILEID=f"{prefix}_{number}")
    _add_logical(root, _contents(entries, label))
    return to_bytes(root)


def _add_logical(root: Element, contents: Division) -> None:
    """The logical structure, and which pages belong to which part of it."""
    logical = child(root, "structMap", TYPE="LOGICAL")
    links = child(root, "structLink")
    numbers = count(1)

    def add(division: Division, parent: Element) -> None:
        identity = f"log{next(numbers)}"
        element = child(parent, "div", ID=identity, TYPE=division.kind, LABEL=clean_text(division.label))
        for page in division.pages:
            ET.SubElement(links, "smLink", {"xlink:from": identity, "xlink:to": f"phys{page}"})
        for inner in division.divisions:
            add(inner, element)

    add(contents, logical)


def _add_group(parent: Element, use: str, prefix: str, named: list[tuple[str, str]]) -> None:
    """The files of one use; a group without files is left out."""
    if not any(name for name, _ in named):
        return
    group = child(parent, "fileGrp", USE=use)
    for number, (name, media_type) in enumerate(named, 1):
        if name:
            file = child(group, "file", ID=f"{prefix}_{number}", MIMETYPE=media_type)
            ET.SubElement(file, "FLocat", {"LOCTYPE": "URL", "xlink:href": quote(name)})


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return sorts file names as people do: page 9 before page 10."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]
