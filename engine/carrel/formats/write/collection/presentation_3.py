"""A collection by the IIIF Presentation API 3."""

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
from carrel.formats.write.interchange import clean_text, interchange
from carrel.languages import document_language
from carrel.page import Box, Page

_CONTEXT = "http://iiif.io/api/presentation/3/context.json"
_FRAGMENTS = "http://www.w3.org/TR/media-frags/"


def manifest(entries: Sequence[Entry], base: str, label: str) -> dict[str, Any]:
    """Return the manifest; ``base`` is the URL of the folder, with a slash at the end."""
    named = zip(entries, labels_of(entries), strict=True)
    made: dict[str, Any] = {
        "@context": _CONTEXT,
        "id": f"{base}manifest.json",
        "type": "Manifest",
        "label": {"none": [clean_text(label)]},
        "items": [_canvas(entry, told, base, number) for number, (entry, told) in enumerate(named, 1)],
    }
    divisions = contents_of(entries, label).divisions
    if divisions:
        made["structures"] = [_range(division, base, f"{number}") for number, division in enumerate(divisions, 1)]
    return made


def _range(division: Division, base: str, number: str) -> dict[str, Any]:
    """A folder or document as viewers list it in their table of contents."""
    below = [_range(inner, base, f"{number}-{index}") for index, inner in enumerate(division.divisions, 1)]
    canvases = [{"id": f"{base}canvas/{page}", "type": "Canvas"} for page in division.pages]
    label = {"none": [clean_text(division.label)]}
    return {"id": f"{base}range/{number}", "type": "Range", "label": label, "items": [*below, *canvases]}


def _canvas(entry: Entry, label: str, base: str, number: int) -> dict[str, Any]:
    page = interchange(entry.page)
    identity = f"{base}canvas/{number}"
    size = {"width": page.width_px, "height": page.height_px}
    canvas: dict[str, Any] = {"id": identity, "type": "Canvas", "label": {"none": [label]}, **size}
    if entry.image:
        canvas["items"] = [_painted(_body(entry, base, size), identity)]
    canvas["annotations"] = [{"id": f"{identity}/text", "type": "AnnotationPage", "items": _lines(page, identity)}]
    also = [
        {"id": base + reference(name), "type": "Dataset", "format": kind} | profile
        for name, kind, profile in (
            (entry.alto, ALTO_TYPE, {"profile": ALTO_PROFILE}),
            (entry.tei, TEI_TYPE, dict[str, str]()),
        )
        if name
    ]
    if also:
        canvas["seeAlso"] = also
    if entry.pdf:
        pdf = {"id": base + reference(entry.pdf, entry.pdf_page), "type": "Text", "format": PDF_TYPE}
        canvas["rendering"] = [pdf | {"label": {"en": ["PDF"]}}]
    return canvas


def _body(entry: Entry, base: str, size: dict[str, int]) -> dict[str, Any]:
    """The picture, or the part of it that is the page."""
    body: dict[str, Any] = {
        "id": base + reference(entry.image),
        "type": "Image",
        "format": media_type(entry.image),
    }
    if entry.part is None:
        return body | size
    selector = {"type": "FragmentSelector", "conformsTo": _FRAGMENTS, "value": place(entry.part)}
    return {"type": "SpecificResource", "source": body, "selector": selector}


def _painted(body: dict[str, Any], canvas: str) -> dict[str, Any]:
    identity = {"id": f"{canvas}/image", "type": "Annotation", "motivation": "painting"}
    return {
        "id": f"{canvas}/images",
        "type": "AnnotationPage",
        "items": [identity | {"body": body, "target": canvas}],
    }


def _lines(page: Page, canvas: str) -> list[dict[str, Any]]:
    """One annotation for each line that has text, on the line's box."""
    language = document_language(page.provenance.languages)
    annotations: list[dict[str, Any]] = []
    for number, line in enumerate((line for line in page.lines if line.final_text), 1):
        body = {"type": "TextualBody", "value": line.final_text, "format": "text/plain", "language": language}
        annotation = {"id": f"{canvas}/text/{number}", "type": "Annotation", "motivation": "supplementing"}
        annotations.append(annotation | {"body": body, "target": f"{canvas}#{place(Box.around(line.polygon))}"})
    return annotations
