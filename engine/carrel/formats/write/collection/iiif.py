"""IIIF manifests: Presentation 3 for viewers of today, Presentation 2 for those that know only that.

Viewers find the text in three ways: the ``seeAlso`` to the ALTO or TEI file, the PDF under ``rendering``, and annotations
with one line of text each. A page without a picture of its own has a canvas on which nothing is painted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from carrel.formats.write.collection import presentation_2, presentation_3
from carrel.formats.write.collection.entries import Entry

Presentation = Literal["2", "3"]


def write_iiif(entries: Sequence[Entry], base_url: str, label: str, presentation: Presentation = "3") -> bytes:
    """Return a IIIF manifest.

    Parameters
    ----------
    entries
        In reading order.
    base_url
        Where the manifest and all files will be found, with or without a slash at the end.
    label
        The title that viewers show.
    presentation
        The version of the Presentation API.
    """
    base = base_url.rstrip("/") + "/"
    module = presentation_2 if presentation == "2" else presentation_3
    manifest: dict[str, Any] = module.manifest(entries, base, label)
    return json.dumps(manifest, ensure_ascii=False, indent=1).encode() + b"\n"
