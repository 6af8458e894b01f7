"""Carrel reads scanned pages, printed and handwritten, on the machine where they lie.

>>> import carrel
>>> page = carrel.read("letter.png")      # doctest: +SKIP
>>> print(page.text)                      # doctest: +SKIP
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
from carrel.options import ReadOptions
from carrel.page import Alternative, Box, Character, Correction, Line, Page, Provenance, Region, Source, Word, Writing

if TYPE_CHECKING:
    from carrel.budget import Budget
    from carrel.reader import Reader, read

# onnxruntime reports to its maker unless this is set before it is first imported; see carrel.backends.telemetry
if "onnxruntime" not in sys.modules:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
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
]


_LATE = {"Budget": "carrel.budget", "Reader": "carrel.reader", "read": "carrel.reader"}


def __getattr__(name: str) -> object:
    module = _LATE.get(name)
    if module is not None:  # loaded when first used: `import carrel` stays light
        return getattr(import_module(module), name)
    raise AttributeError(f"module 'carrel' has no attribute {name!r}")
