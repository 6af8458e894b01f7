"""Parts of a bundle and their licences: ``NOTICE`` for people, ``sbom.cdx.json`` (CycloneDX 1.5) for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import message_from_string
from pathlib import Path

import carrel

_SAID = """
opencv-python-headless holds FFmpeg's libraries (libav*, libsw*) under LGPL-2.1 or later: they may be replaced by others
of the same interface. tesserocr's wheel holds Tesseract (Apache-2.0), Leptonica (BSD-2-Clause) and picture libraries, of
which libtiff is linked with JBIG-KIT (GPL-2.0 or later). numpy and OpenCV hold OpenBLAS (BSD-3-Clause) and parts of GCC's
runtime (GPL-3.0 with the runtime exception).
"""


@dataclass(frozen=True, slots=True)
class Part:
    """A package in a bundle: its licence in a word, its purl, its libraries, and texts of licences by their names."""

    name: str
    version: str
    licence: str
    purl: str
    holds: tuple[str, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()


def python_part(info: Path) -> Part:
    """Return the part that a ``.dist-info`` folder describes."""
    facts = message_from_string((info / "METADATA").read_text("utf-8"))
    name, version = str(facts["Name"]), str(facts["Version"])
    stated = facts["License-Expression"] or next(iter((facts["License"] or "").strip().splitlines()), "")
    classifiers = [c.split(" :: ")[-1] for c in facts.get_all("Classifier", []) if c.startswith("License")]
    licence = facts["License-Expression"] or next(iter(classifiers), "") or stated or "see its files"
    holds = sorted(path.name for path in info.parent.glob(f"{name.replace('-', '_')}.libs/*"))
    texts = tuple((path.name, path.read_text("utf-8", "replace")) for path in _licence_files(info))
    return Part(name, version, str(licence), f"pkg:pypi/{name.lower()}@{version}", tuple(holds), texts)


def debian_part(name: str, version: str, architecture: str, stated: str) -> Part:
    """Return the part that is a package of Debian, by its statement of licences."""
    purl = f"pkg:deb/debian/{name}@{version}?arch={architecture}"
    return Part(name, version, "see its statement below", purl, texts=(("copyright", stated),) if stated else ())


def _licence_files(folder: Path) -> Iterator[Path]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    yield from sorted(path for path in found if path.name.upper().startswith(("LICEN", "COPYING", "NOTICE", "AUTHORS")))


def notice(parts: Sequence[Part]) -> str:
    """Return every part with its licence and the libraries inside it, then each text of a licence once."""
    lines = ["Carrel's bundle holds the following parts, each under its own licence.", ""]
    owners: dict[str, list[str]] = {}
    for part in parts:
        lines.append(f"{part.name} {part.version}: {part.licence}")
        lines += [f"  holds {name}" for name in part.holds]
        for name, text in part.texts:
            owners.setdefault(text, []).append(f"{part.name} {part.version}: {name}")
    lines.append(_SAID)
    for text, names in owners.items():
        lines += ["", *(f"==== {name} ====" for name in names), "", text]
    return "\n".join(lines) + "\n"


def sbom(parts: Sequence[Part]) -> dict[str, object]:
    """Return the parts as CycloneDX 1.5."""
    components = [
        {
            "type": "library",
            "name": part.name,
            "version": part.version,
            "purl": part.purl,
            "licenses": [{"license": {"name": part.licence}}],
        }
        for part in parts
    ]
    own = {"type": "application", "name": "carrel", "version": carrel.__version__}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": own},
        "components": components,
    }
