"""The list of what models may be trained on: a JSON object, a source's name to its licence, citation and language."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from carrel.errors import InputError

KEPT = ("cite", "lic", "lang", "century", "url")


def read_sources(file: Path, used: Collection[str]) -> dict[str, dict[str, str]]:
    """Return what a manifest says of the sources that were used, in the order of their names.

    Raises
    ------
    InputError
        The file cannot be read or is no such list, or a source lacks its licence or citation.
    """
    try:
        listed: Any = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: no list of sources ({error}); give a JSON object") from None
    if not isinstance(listed, dict):
        raise InputError(f"{file}: no list of sources; give a JSON object of names")
    found = {name: listed[name] for name in sorted(used) if name in listed}
    lacking = [
        name for name, entry in found.items() if not isinstance(entry, dict) or not {"cite", "lic"} <= set(entry)
    ]
    if lacking:
        raise InputError(f"{file}: no 'cite' or 'lic' of {', '.join(lacking)}; add them")
    return {name: {key: str(entry[key]) for key in KEPT if key in entry} for name, entry in found.items()}
