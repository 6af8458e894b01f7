"""Facts that have no place of their own in ALTO or PAGE, as one line of JSON in their processing notes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast

from carrel.page import Page, Provenance

READ = "read"
"""The PURPOSE of an alternative in ALTO that is the whole line as it was read."""


def settings_json(page: Page) -> str:
    """Return models, languages, skew, resolution, uncovered ink and page index, in ASCII."""
    provenance = page.provenance
    settings = {
        "models": provenance.models,
        "languages": provenance.languages,
        "skew_degrees": provenance.skew_degrees,
        "created": provenance.created,
        **({"form": provenance.form} if provenance.form else {}),
        "dpi": page.dpi,
        "uncovered_ink": page.uncovered_ink,
        "page_index": page.source.page_index,
    }
    return json.dumps(settings)


def with_settings(page: Page, software: str, settings: str) -> Page:
    """Return ``page`` with what ``settings_json`` wrote; unchanged settings where another program wrote something else."""
    page = replace(page, provenance=replace(page.provenance, software=software))
    try:
        loaded = json.loads(settings)
        return _with_loaded(page, cast(dict[str, Any], loaded))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return page


def _with_loaded(page: Page, loaded: dict[str, Any]) -> Page:
    provenance = Provenance(
        page.provenance.software,
        tuple(str(model) for model in loaded["models"]),
        tuple(str(language) for language in loaded["languages"]),
        float(loaded["skew_degrees"]),
        str(loaded["created"]),
        str(loaded.get("form", "")),
    )
    return replace(
        page,
        provenance=provenance,
        dpi=None if loaded["dpi"] is None else float(loaded["dpi"]),
        uncovered_ink=None if loaded["uncovered_ink"] is None else float(loaded["uncovered_ink"]),
        source=replace(page.source, page_index=int(loaded["page_index"])),
    )
