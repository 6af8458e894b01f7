"""Carrel reads scanned pages, printed and handwritten, on the machine where they lie.

A path, bytes, a binary file, a PIL image or a numpy array goes in, a `Page` comes out; it is saved in any format:

>>> import carrel
>>> page = carrel.read("letter.jpg")
>>> "handwritten" in {line.writing.kind for line in page.lines}
True
>>> page.save("letter.txt").name
'letter.txt'

A program that reads more than one page makes one `Reader` and keeps it: models are loaded once.

Threads: one `Reader` may be used by several threads at once, and pages and options, which never change, by all. `read`,
`write`, `read_page` and `Page.save` may be called from any thread; two that save to one path at once leave one of the two
files, whole. A `Reader` does not outlive a fork: make it in the process that reads.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from carrel.errors import (
    CancelledError,
    CarrelError,
    InputError,
    ModelError,
    OutputError,
    PageTimeoutError,
    UsageError,
)
from carrel.installed import VERSION
from carrel.options import ReadOptions
from carrel.page import Alternative, Box, Character, Correction, Line, Page, Provenance, Region, Source, Word, Writing

if TYPE_CHECKING:
    from carrel.budget import Budget
    from carrel.formats import read_page
    from carrel.formats.save import write
    from carrel.reader import Reader, read

# onnxruntime reports to its maker unless this is set before it is first imported; see carrel.backends.runtimes.telemetry
if "onnxruntime" not in sys.modules:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = VERSION
__all__ = [
    "Alternative",
    "Box",
    "Budget",
    "CancelledError",
    "CarrelError",
    "Character",
    "Correction",
    "InputError",
    "Line",
    "ModelError",
    "OutputError",
    "Page",
    "PageTimeoutError",
    "Provenance",
    "ReadOptions",
    "Reader",
    "Region",
    "Source",
    "UsageError",
    "Word",
    "Writing",
    "read",
    "read_page",
    "write",
]


_LATE = {
    "Budget": "carrel.budget",
    "Reader": "carrel.reader",
    "read": "carrel.reader",
    "read_page": "carrel.formats",
    "write": "carrel.formats.save",
}


def __getattr__(name: str) -> object:
    module = _LATE.get(name)
    if module is not None:  # loaded when first used: `import carrel` stays light
        return getattr(import_module(module), name)
    raise AttributeError(f"module 'carrel' has no attribute {name!r}")
