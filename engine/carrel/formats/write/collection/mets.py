"""METS: the images, the texts, the pages in order, and the folders and documents that they are in."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from itertools import count

from carrel.formats.write.collection.contents import Division
from carrel.formats.write.collection.entries import (
    ALTO_TYPE,
    PAGE_TYPE,
    PDF_TYPE,
    Entry,
    contents_of,
    labels_of,
    media_type,
    reference,
)
from carrel.formats.write.interchange import clean_text
from carrel.formats.xml_tree import Element, child, to_bytes

_Named = list[tuple[str, str]]  # reference, media type


def write_mets(entries: Sequence[Entry], label: str) -> bytes:
    """Return METS of a collection.

    ALTO stands in two file groups: DFG viewers look for it in FULLTEXT, eScriptorium skips that one and takes the other.
    """
    root = ET.Element(
        "mets",
        {
            "xmlns": "http://www.loc.gov/METS/",
            "xmlns:xlink": "http://www.w3.org/1999/xlink",
            "LABEL": clean_text(label),
        },
    )
    groups = _groups(entries)
    files = child(root, "fileSec")
    for (use, prefix), named in groups.items():
        _add_group(files, use, prefix, named)
    physical = child(root, "structMap", TYPE="PHYSICAL")
    sequence = child(physical, "div", ID="physSequence", TYPE="physSequence")
    for number, told in enumerate(labels_of(entries), 1):
        division = child(sequence, "div", ID=f"phys{number}", ORDER=str(number), TYPE="page", LABEL=told)
        for (_, prefix), named in groups.items():
            if named[number - 1][0]:
                child(division, "fptr", FILEID=f"{prefix}_{number}")
    _add_logical(root, contents_of(entries, label))
    return to_bytes(root)


def _groups(entries: Sequence[Entry]) -> dict[tuple[str, str], _Named]:
    """Use and prefix of the ids of each file group -> a file of each page, which may be missing."""
    return {
        ("DEFAULT", "IMG"): [(reference(entry.image), media_type(entry.image)) for entry in entries],
        ("FULLTEXT", "ALTO"): [(reference(entry.alto), ALTO_TYPE) for entry in entries],
        ("TRANSCRIPTION", "TEXT"): [
            (reference(entry.alto or entry.xml), ALTO_TYPE if entry.alto else PAGE_TYPE) for entry in entries
        ],
        ("DOWNLOAD", "PDF"): [(reference(entry.pdf, entry.pdf_page), PDF_TYPE) for entry in entries],
    }


def _add_group(parent: Element, use: str, prefix: str, named: _Named) -> None:
    """The files of one use; a group without files is left out."""
    if not any(name for name, _ in named):
        return
    group = child(parent, "fileGrp", USE=use)
    for number, (name, kind) in enumerate(named, 1):
        if name:
            file = child(group, "file", ID=f"{prefix}_{number}", MIMETYPE=kind)
            ET.SubElement(file, "FLocat", {"LOCTYPE": "URL", "xlink:href": name})


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
