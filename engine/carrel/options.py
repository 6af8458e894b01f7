"""What a caller may choose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Choices for reading pages.

    Parameters
    ----------
    languages
        Tesseract languages of printed text, most likely first.
    writing
        ``auto`` decides line by line; ``printed`` and ``handwritten`` send every line to one recognizer.
    model
        Folder of the handwriting model; None takes the one that ships with Carrel.
    threads
        Processor threads to use, at least 1; 0 takes what the process is allowed to run on.
    max_megapixels
        Pages above this are refused before they are decoded.
    binarize
        Turn the page black and white before lines are cut out (Sauvola); gray reads better on most scans.
    line_timeout_s
        A printed line that Tesseract has not read by then is refused.
    language_model
        Search handwriting with the character model of French and English that ships with Carrel.
    """

    languages: tuple[str, ...] = ("eng", "fra")
    writing: Literal["auto", "printed", "handwritten"] = "auto"
    model: Path | None = None
    threads: int = 0
    max_megapixels: float = 250.0
    binarize: bool = False
    line_timeout_s: float = 5.0
    language_model: bool = True
