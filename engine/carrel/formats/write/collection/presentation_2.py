"""A collection by the IIIF Presentation API 2.1.

Lines of text are no part of such a manifest, they would be files of their own; the ALTO, TEI and PDF files are linked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from carrel.formats.write.collection.contents import Division
from carrel.formats.write.collection.entries import (
    ALTO_PROFILE,
    ALTO_TYPE,
    PDF_TYPE,
    TEI_TYPE,
    Entry,
    contents_of,
    labels_of,
    media_type,
    place,
    reference,
)
from carrel.formats.write.interchange import clean_text

_CONTEXT = "http://iiif.io/api/presentation/2/context.json"


def manifest(entries: Sequence[Entry], base: str, label: str) -> dict[str, Any]:
    """Return the manifest; ``base`` is the URL of the folder, with a slash at the end."""
    named = zip(entries, labels_of(entries), strict=True)
    canvases = [_canvas(entry, told, base, number) for number, (entry, told) in enumerate(named, 1)]
    made: dict[str, Any] = {
        "@context": _CONTEXT,
        "@id": f"{base}manifest.json",
        "@type": "sc:Manifest",
        "label": clean_text(label) or "manifest",
        "sequences": [
            {"@id": f"{base}sequence/1", "@type": "sc:Sequence", "label": "Pages in order", "canvases": canvases}
        ],
    }
    divisions = contents_of(entries, label).divisions
    if divisions:
        made["structures"] = _ranges(Division(label, "collection", divisions), base, "0", top=True)
    return made


def _ranges(division: Division, base: str, number: str, *, top: bool = False) -> list[dict[str, Any]]:
    """A folder or document and all below it, one after the other: here ranges name each other."""
    numbers = [f"{number}-{index}" for index, _ in enumerate(division.divisions, 1)]
    own: dict[str, Any] = {
        "@id": f"{base}range/{number}",
        "@type": "sc:Range",
        "label": clean_text(division.label) or "pages",
    }
    if top:
        own["viewingHint"] = "top"
    if numbers:
        own["ranges"] = [f"{base}range/{below}" for below in numbers]
    if division.pages:
        own["canvases"] = [f"{base}canvas/{page}" for page in division.pages]
    found = [own]
    for inner, below in zip(division.divisions, numbers, strict=True):
        found += _ranges(inner, base, below)
    return found


def _canvas(entry: Entry, label: str, base: str, number: int) -> dict[str, Any]:
    identity = f"{base}canvas/{number}"
    size = {"width": entry.page.width_px, "height": entry.page.height_px}
    canvas: dict[str, Any] = {"@id": identity, "@type": "sc:Canvas", "label": label, **size, "images": []}
    if entry.image:
        canvas["images"] = [_painted(_resource(entry, base, size), identity)]
    also = [
        {"@id": base + reference(name), "format": kind} | profile
        for name, kind, profile in (
            (entry.alto, ALTO_TYPE, {"profile": ALTO_PROFILE}),
            (entry.tei, TEI_TYPE, dict[str, str]()),
        )
        if name
    ]
    if also:
        canvas["seeAlso"] = also
    if entry.pdf:
        pdf = base + reference(entry.pdf, entry.pdf_page)
        canvas["rendering"] = {"@id": pdf, "format": PDF_TYPE, "label": "PDF"}
    return canvas


def _resource(entry: Entry, base: str, size: dict[str, int]) -> dict[str, Any]:
    """The picture, or the part of it that is the page."""
    url = base + reference(entry.image)
    image: dict[str, Any] = {"@id": url, "@type": "dctypes:Image", "format": media_type(entry.image)}
    if entry.part is None:
        return image | size
    fragment = place(entry.part)
    selector = {"@type": "oa:FragmentSelector", "value": fragment}
    return {"@id": f"{url}#{fragment}", "@type": "oa:SpecificResource", "full": image, "selector": selector}


def _painted(resource: dict[str, Any], canvas: str) -> dict[str, Any]:
    return {
        "@id": f"{canvas}/image",
        "@type": "oa:Annotation",
        "motivation": "sc:painting",
        "resource": resource,
        "on": canvas,
    }
